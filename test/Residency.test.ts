import { assert, describe, it } from "@effect/vitest"
import { Deadline, Model, Residency, ServiceError, Traffic } from "chorale"
import { Context, Effect, Exit, Fiber, Layer, Scheduler, Schema, Scope, Stream } from "effect"
import { Rpc } from "effect/rpc"
import { TestClock } from "effect/testing"
import { outcome, settle, start, tagOf } from "./traffic/work.ts"

class Translator extends Model.Service<Translator>()("test/Translator", [
  Rpc.make("translate", { payload: { language: Schema.String, millis: Schema.Finite }, success: Schema.String }),
  Rpc.make("follow", { payload: { language: Schema.String, items: Schema.Int }, success: Schema.String, stream: true })
]) {}

class Weights extends Context.Service<Weights, string>()("test/Weights") {}

class Corrupt extends Schema.TaggedError<Corrupt>()("Corrupt", { file: Schema.String }) {
  override get message(): string {
    return `${this.file} is corrupt`
  }
}

/** Layers that take 50 milliseconds to load, and what happened to them. */
const makeModels = () => {
  const events: Array<string> = []
  const broken = new Set<string>()
  let version = 0
  const layer = (language: string) =>
    Translator.toLayer(Effect.gen(function*() {
      const weights = yield* Effect.serviceOption(Weights)
      const name = `${language}${++version}`
      events.push(`load ${name}`)
      yield* Effect.onInterrupt(Effect.sleep(50), () => Effect.sync(() => events.push(`close ${name}`)))
      if (broken.has(language)) return yield* new Corrupt({ file: language })
      yield* Effect.acquireRelease(Effect.void, () => Effect.sync(() => events.push(`close ${name}`)))
      return {
        translate: ({ millis }: { readonly millis: number }) =>
          Effect.as(Effect.sleep(millis), weights._tag === "Some" ? `${name} ${weights.value}` : name),
        follow: ({ items }: { readonly items: number }) =>
          Stream.range(1, items).pipe(Stream.mapEffect((item) => Effect.as(Effect.sleep(100), `${name}.${item}`)))
      }
    }))
  return { broken, events, layer }
}

describe("Residency.idle", () => {
  const build = Effect.gen(function*() {
    const models = makeModels()
    const context = yield* Layer.build(models.layer("m").pipe(Residency.idle({ timeToLive: "1 minute" })))
    const translator = Context.get(context, Translator)
    return {
      ...models,
      translator,
      call: (millis = 0) => translator.translate({ language: "", millis }),
      reload: Effect.provide(Residency.reload(Translator), context),
      loaded: Effect.provide(Residency.loaded(Translator), context)
    }
  })

  it.effect("loads at the first call and once for calls at the same time", () =>
    Effect.gen(function*() {
      const { call, events } = yield* build
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(events, [])
      const fibers = [yield* start(call()), yield* start(call()), yield* start(call())]
      yield* TestClock.adjust(50)
      assert.deepStrictEqual(yield* Fiber.joinAll(fibers), ["m1", "m1", "m1"])
      assert.deepStrictEqual(events, ["load m1"])
    }))

  it.effect("releases the model exactly when it has been idle for its time, and loads it again after that", () =>
    Effect.gen(function*() {
      const { call, events } = yield* build
      const first = yield* start(call())
      yield* TestClock.adjust(50)
      yield* Fiber.join(first)
      yield* TestClock.adjust(59_999)
      assert.deepStrictEqual(events, ["load m1"])
      assert.strictEqual(yield* call(), "m1")
      yield* TestClock.adjust(59_999)
      assert.deepStrictEqual(events, ["load m1"])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(events, ["load m1", "close m1"])
      const again = yield* start(call())
      yield* TestClock.adjust(50)
      assert.strictEqual(yield* Fiber.join(again), "m2")
    }))

  it.effect("does not release a model while a call or a stream uses it", () =>
    Effect.gen(function*() {
      const { call, events, translator } = yield* build
      yield* start(call(600_000))
      const stream = yield* start(Stream.runDrain(translator.follow({ language: "", items: 8_000 })))
      yield* TestClock.adjust("11 minutes")
      assert.deepStrictEqual(events, ["load m1"])
      yield* TestClock.adjust("3 minutes")
      assert.strictEqual(outcome(stream), "answered")
      assert.deepStrictEqual(events, ["load m1"])
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(events, ["load m1", "close m1"])
    }))

  it.effect("releases a model after a call of it was interrupted", () =>
    Effect.gen(function*() {
      const { call, events } = yield* build
      const fiber = yield* start(call(600_000))
      yield* TestClock.adjust(50)
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(events, ["load m1", "close m1"])
    }))

  it.effect("fails the calls that wait for a model that cannot be loaded, says why, and tries again at the next", () =>
    Effect.gen(function*() {
      const { broken, call, events } = yield* build
      broken.add("m")
      const fibers = [yield* start(Effect.flip(call())), yield* start(Effect.flip(call()))]
      yield* TestClock.adjust(50)
      for (const error of yield* Fiber.joinAll(fibers)) {
        assert.strictEqual(tagOf(error), "Unavailable")
        assert.include(error.message, "m is corrupt")
      }
      broken.clear()
      const next = yield* start(call())
      yield* TestClock.adjust(50)
      assert.strictEqual(yield* Fiber.join(next), "m2")
      assert.deepStrictEqual(events, ["load m1", "load m2"])
    }))

  it.effect("lets a call that waits for its model fail at its deadline, and loads it for the others", () =>
    Effect.gen(function*() {
      const { call, events } = yield* build
      const hurried = yield* start(Deadline.within(call(), 49))
      const patient = yield* start(call())
      yield* TestClock.adjust(49)
      assert.deepStrictEqual([hurried, patient].map(outcome), ["DeadlineExceeded", "waits"])
      yield* TestClock.adjust(1)
      assert.strictEqual(outcome(patient), "answered")
      assert.deepStrictEqual(events, ["load m1"])
    }))

  it.effect("goes on loading when the call that began it is interrupted", () =>
    Effect.gen(function*() {
      const { call, events } = yield* build
      const first = yield* start(call())
      const second = yield* start(call())
      yield* Fiber.interrupt(first)
      yield* TestClock.adjust(50)
      assert.strictEqual(yield* Fiber.join(second), "m1")
      assert.deepStrictEqual(events, ["load m1"])
    }))

  it.effect("loads the model anew for a call that comes while it is closed", () =>
    Effect.gen(function*() {
      const models = makeModels()
      let millis = 100
      const close = Effect.suspend(() => Effect.sleep(millis))
      const slowToClose = Layer.effect(
        Translator,
        Effect.andThen(Effect.acquireRelease(Effect.void, () => close), Translator)
      ).pipe(Layer.provide(models.layer("m")))
      const context = yield* Layer.build(
        Residency.idle(Traffic.of(Translator, slowToClose), { timeToLive: 1000 })
      )
      const call = Context.get(context, Translator).translate({ language: "", millis: 0 })
      const first = yield* start(call)
      yield* TestClock.adjust(50)
      yield* Fiber.join(first)
      yield* TestClock.adjust(1000)
      const second = yield* start(call)
      yield* TestClock.adjust(50)
      assert.strictEqual(yield* Fiber.join(second), "m2")
      millis = 0
      yield* TestClock.adjust(50)
      assert.deepStrictEqual(models.events, ["load m1", "load m2", "close m1"])
    }))

  it.effect("builds the model with the services of its layer, whatever the caller has", () =>
    Effect.gen(function*() {
      const models = makeModels()
      const context = yield* Layer.build(
        models.layer("m").pipe(Residency.idle({ timeToLive: 1000 }), Layer.provide(Layer.succeed(Weights, "layer")))
      )
      const fiber = yield* start(
        Context.get(context, Translator).translate({ language: "", millis: 0 }).pipe(
          Effect.provideService(Weights, "caller")
        )
      )
      yield* TestClock.adjust(50)
      assert.strictEqual(yield* Fiber.join(fiber), "m1 layer")
    }))

  it.effect("closes the model with its layer", () =>
    Effect.gen(function*() {
      const models = makeModels()
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(
        models.layer("m").pipe(Residency.idle({ timeToLive: "1 minute" })),
        scope
      )
      const fiber = yield* start(Context.get(context, Translator).translate({ language: "", millis: 0 }))
      yield* TestClock.adjust(50)
      yield* Fiber.join(fiber)
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(models.events, ["load m1", "close m1"])
    }))

  it.effect("swaps the model: new calls see the new one, old ones end on the old, which closes after the last", () =>
    Effect.gen(function*() {
      const { call, events, reload } = yield* build
      const old = yield* start(call(1000))
      yield* TestClock.adjust(100)
      const reloading = yield* start(reload)
      yield* TestClock.adjust(49)
      const between = yield* start(call())
      yield* TestClock.adjust(1)
      yield* Fiber.join(reloading)
      assert.strictEqual(yield* Fiber.join(between), "m1")
      assert.strictEqual(yield* call(), "m2")
      assert.deepStrictEqual(events, ["load m1", "load m2"])
      yield* TestClock.adjust(900)
      assert.strictEqual(yield* Fiber.join(old), "m1")
      assert.deepStrictEqual(events, ["load m1", "load m2", "close m1"])
    }))

  it.effect("keeps the model of the last of two swaps, whichever of them is loaded first", () =>
    Effect.gen(function*() {
      let file = 1
      const closed: Array<string> = []
      const live = Translator.toLayer(Effect.gen(function*() {
        const name = `file ${file}`
        yield* Effect.sleep(file === 2 ? 200 : 50)
        yield* Effect.addFinalizer(() => Effect.sync(() => closed.push(name)))
        return { translate: () => Effect.succeed(name), follow: () => Stream.empty }
      }))
      const context = yield* Layer.build(live.pipe(Residency.idle({ timeToLive: "1 hour" })))
      const call = Context.get(context, Translator).translate({ language: "", millis: 0 })
      const swaps: Array<Fiber.Fiber<void, unknown>> = []
      for (file of [2, 3]) {
        swaps.push(yield* start(Effect.provide(Residency.reload(Translator), context)))
        yield* settle
      }
      yield* TestClock.adjust(50)
      assert.strictEqual(yield* call, "file 3")
      yield* TestClock.adjust(150)
      assert.deepStrictEqual(swaps.map(outcome), ["answered", "answered"])
      assert.strictEqual(yield* call, "file 3")
      assert.deepStrictEqual(closed, ["file 2"])
    }))

  it.effect("closes a new model whose swap is interrupted, and keeps the old one", () =>
    Effect.gen(function*() {
      const { call, events, loaded, reload } = yield* build
      const first = yield* start(call())
      yield* TestClock.adjust(50)
      yield* Fiber.join(first)
      const reloading = yield* start(reload)
      yield* TestClock.adjust(20)
      yield* Fiber.interrupt(reloading)
      yield* TestClock.adjust(100)
      assert.strictEqual(yield* call(), "m1")
      assert.deepStrictEqual(events, ["load m1", "load m2", "close m2"])
      assert.lengthOf(yield* loaded, 1)
    }))

  it.effect("keeps the old model where the new one cannot be loaded", () =>
    Effect.gen(function*() {
      const { broken, call, events, reload } = yield* build
      const first = yield* start(call())
      yield* TestClock.adjust(50)
      yield* Fiber.join(first)
      broken.add("m")
      const reloading = yield* start(Effect.flip(reload))
      yield* TestClock.adjust(50)
      assert.strictEqual(tagOf(yield* Fiber.join(reloading)), "Unavailable")
      assert.strictEqual(yield* call(), "m1")
      assert.deepStrictEqual(events, ["load m1", "load m2"])
    }))

  it.effect("reports what is in memory and how many calls use it", () =>
    Effect.gen(function*() {
      const { call, loaded } = yield* build
      assert.deepStrictEqual(yield* loaded, [])
      yield* start(call(1000))
      yield* TestClock.adjust(50)
      assert.deepStrictEqual((yield* loaded).map(({ calls }) => calls), [1])
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual((yield* loaded).map(({ calls }) => calls), [0])
    }))
})

describe("Residency.keyed", () => {
  const build = (capacity = 2) =>
    Effect.gen(function*() {
      const models = makeModels()
      const context = yield* Layer.build(Residency.keyed(Translator, {
        key: ({ language }) => language,
        lookup: models.layer,
        memory: (key) => key.length,
        capacity
      }))
      const translator = Context.get(context, Translator)
      const begin = (language: string, millis = 0) => start(translator.translate({ language, millis }))
      return {
        ...models,
        translator,
        begin,
        /** Calls and waits for the loading. */
        call: Effect.fnUntraced(function*(language: string) {
          const fiber = yield* begin(language)
          yield* TestClock.adjust(50)
          return yield* Fiber.join(fiber)
        }),
        reload: (language: string) => Effect.provide(Residency.reload(Translator, language), context),
        keys: Effect.map(Effect.provide(Residency.loaded(Translator), context), (all) => all.map(({ key }) => key))
      }
    })

  it.effect("loads a model for each key, and closes the one used least recently for want of memory", () =>
    Effect.gen(function*() {
      const { call, events, keys } = yield* build()
      assert.strictEqual(yield* call("a"), "a1")
      assert.strictEqual(yield* call("b"), "b2")
      assert.strictEqual(yield* call("a"), "a1")
      assert.strictEqual(yield* call("c"), "c3")
      assert.deepStrictEqual(events, ["load a1", "load b2", "close b2", "load c3"])
      assert.deepStrictEqual(yield* keys, ["a", "c"])
    }))

  it.effect("closes as many as a larger one needs, before it is loaded", () =>
    Effect.gen(function*() {
      const { call, events } = yield* build(3)
      yield* call("a")
      yield* call("b")
      yield* call("c")
      assert.strictEqual(yield* call("dd"), "dd4")
      assert.deepStrictEqual(events.slice(3), ["close a1", "close b2", "load dd4"])
    }))

  it.effect("does not close a model in use, and refuses a call where all are", () =>
    Effect.gen(function*() {
      const { begin, call, events } = yield* build()
      yield* begin("a", 1000)
      yield* begin("b", 1000)
      yield* settle
      const third = yield* begin("c")
      yield* settle
      assert.strictEqual(outcome(third), "Overloaded")
      yield* TestClock.adjust(1050)
      assert.strictEqual(yield* call("c"), "c3")
      assert.deepStrictEqual(events, ["load a1", "load b2", "close a1", "load c3"])
    }))

  it.effect("is Unavailable for a model that is larger than all memory", () =>
    Effect.gen(function*() {
      const { translator } = yield* build()
      const error = yield* Effect.flip(translator.translate({ language: "abc", millis: 0 }))
      assert.strictEqual(tagOf(error), "Unavailable")
      assert.include(error.message, "abc needs 3 bytes, and there are 2 for all models")
    }))

  it.effect("says of a key that no model has what the layer of that key says", () =>
    Effect.gen(function*() {
      const { layer } = makeModels()
      const issue = "nobody speaks xx"
      const context = yield* Layer.build(Residency.keyed(Translator, {
        key: ({ language }) => language,
        lookup: (key): Layer.Layer<Translator, Corrupt | ServiceError.InvalidPayload> =>
          key === "xx"
            ? Layer.effectDiscard(new ServiceError.InvalidPayload({ issue })).pipe(Layer.provideMerge(layer(key)))
            : layer(key),
        memory: () => 1,
        capacity: 1
      }))
      const translator = Context.get(context, Translator)
      const unknown = yield* start(Effect.flip(translator.translate({ language: "xx", millis: 0 })))
      yield* TestClock.adjust(50)
      const error = yield* Fiber.join(unknown)
      assert.strictEqual(tagOf(error), "InvalidPayload")
      assert.include(error.message, issue)
      const known = yield* start(translator.translate({ language: "fr", millis: 0 }))
      yield* TestClock.adjust(50)
      assert.match(yield* Fiber.join(known), /^fr/)
    }))

  it.effect("gives back the memory of a model that could not be loaded", () =>
    Effect.gen(function*() {
      const { broken, call, begin } = yield* build()
      broken.add("bb")
      const failing = yield* begin("bb")
      yield* TestClock.adjust(50)
      assert.strictEqual(outcome(failing), "Unavailable")
      assert.strictEqual(yield* call("cc"), "cc2")
    }))

  it.effect("needs room for both models in a swap, and keeps the old one where there is none", () =>
    Effect.gen(function*() {
      const { call, events, reload } = yield* build()
      yield* call("aa")
      assert.strictEqual(tagOf(yield* Effect.flip(reload("aa"))), "Overloaded")
      assert.strictEqual(yield* call("aa"), "aa1")
      yield* call("b")
      const reloading = yield* start(reload("b"))
      yield* TestClock.adjust(50)
      yield* Fiber.join(reloading)
      assert.strictEqual(yield* call("b"), "b3")
      assert.deepStrictEqual(events, ["load aa1", "close aa1", "load b2", "load b3", "close b2"])
    }))

  it.effect("gives back the memory of swaps that are interrupted at any moment", () =>
    Effect.gen(function*() {
      const { call, events, keys, reload } = yield* build()
      yield* call("a")
      for (let millis = 0; millis < 50; millis += 5) {
        const reloading = yield* start(reload("a"))
        yield* TestClock.adjust(millis)
        yield* Fiber.interrupt(reloading)
      }
      yield* call("bb")
      assert.deepStrictEqual(yield* keys, ["bb"])
      yield* call("a")
      const count = (word: string) => events.filter((event) => event.startsWith(word)).length
      assert.strictEqual(count("load") - count("close"), 1)
    }))

  it.effect("closes what made room for a model that nobody waited to be loaded", () =>
    Effect.gen(function*() {
      const { call, events, translator } = yield* build(1)
      yield* call("a")
      // The fiber is interrupted after each of its first steps, one of which lies between making room and loading.
      for (let steps = 4; steps < 60; steps++) {
        const other = translator.translate({ language: "b", millis: 0 })
        const fiber = yield* Effect.forkChild(Effect.provideService(other, Scheduler.MaxOpsBeforeYield, steps), {
          startImmediately: true
        })
        yield* Fiber.interrupt(fiber)
        yield* TestClock.adjust(50)
        yield* call("a")
      }
      const open = events.filter((event) => event.startsWith("load")).length -
        events.filter((event) => event.startsWith("close")).length
      assert.strictEqual(open, 1)
    }))

  it.effect("takes the key from the fiber that calls where no function gives it", () =>
    Effect.gen(function*() {
      const models = makeModels()
      const context = yield* Layer.build(
        Residency.keyed(Translator, { lookup: models.layer, memory: () => 1, capacity: 1 })
      )
      const call = Context.get(context, Translator).translate({ language: "", millis: 0 })
      const named = yield* start(Effect.provideService(call, Residency.ModelKey, "fr"))
      yield* TestClock.adjust(50)
      assert.strictEqual(yield* Fiber.join(named), "fr1")
      const error = yield* Effect.flip(call)
      assert.instanceOf(error, ServiceError.ServiceError)
      assert.strictEqual(tagOf(error), "InvalidPayload")
    }))

  it.effect("holds a model for a stream until it has ended", () =>
    Effect.gen(function*() {
      const { begin, call, translator } = yield* build(1)
      const stream = yield* start(Stream.runCollect(translator.follow({ language: "a", items: 3 })))
      yield* TestClock.adjust(200)
      const other = yield* begin("b")
      yield* settle
      assert.strictEqual(outcome(other), "Overloaded")
      yield* TestClock.adjust(200)
      assert.deepStrictEqual(yield* Fiber.join(stream), ["a1.1", "a1.2", "a1.3"])
      assert.strictEqual(yield* call("b"), "b2")
    }))

  it.effect.each(
    [
      ["and releases them when they are idle", 120],
      ["and keeps those for which there is memory", Infinity]
    ] satisfies ReadonlyArray<[string, number]>
  )("answers every call in any order of calls, swaps and interruptions, closes all models that it loads, %s", ([
    _,
    timeToLive
  ]) =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const models = makeModels()
      const context = yield* Layer.buildWithScope(
        Residency.keyed(Translator, {
          key: ({ language }) => language,
          lookup: models.layer,
          memory: () => 1,
          capacity: 3,
          timeToLive
        }),
        scope
      )
      const translator = Context.get(context, Translator)
      const random = makeRandom(7)
      const fibers: Array<Fiber.Fiber<unknown, unknown>> = []
      for (let step = 0; step < 3000; step++) {
        const language = "abcdef"[Math.floor(random() * 6)]!
        const draw = random()
        // Some take turns with others after a few of their steps, where else they go on until they wait.
        const turns = step % 3 === 0 ? 4 + step % 50 : 2048
        const begin = <A, E>(self: Effect.Effect<A, E>) =>
          start(Effect.provideService(self, Scheduler.MaxOpsBeforeYield, turns))
        if (draw < 0.6) {
          fibers.push(yield* begin(translator.translate({ language, millis: Math.floor(random() * 100) })))
        } else if (draw < 0.7) {
          fibers.push(yield* begin(Effect.provide(Residency.reload(Translator, language), context)))
        } else if (draw < 0.8) fibers.at(-1 - Math.floor(random() ** 4 * fibers.length))?.interruptUnsafe()
        else yield* TestClock.adjust(Math.floor(random() * 80))
      }
      yield* TestClock.adjust(10_000)
      const outcomes = new Set(fibers.map(outcome))
      assert.isTrue(outcomes.has("answered"))
      assert.deepStrictEqual([...outcomes].filter((tag) => !["answered", "Interrupt", "Overloaded"].includes(tag)), [])
      const count = (word: string) => models.events.filter((event) => event.startsWith(word)).length
      const loaded = yield* Effect.provide(Residency.loaded(Translator), context)
      assert.strictEqual(loaded.length, timeToLive === Infinity ? 3 : 0)
      assert.strictEqual(count("load") - count("close"), loaded.length)
      const three = yield* Effect.forEach(
        ["x", "y", "z"],
        (language) => start(translator.translate({ language, millis: 0 }))
      )
      yield* TestClock.adjust(50)
      assert.deepStrictEqual(three.map(outcome), ["answered", "answered", "answered"])
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(count("load"), count("close"))
    }))
})

/** Numbers from 0 to 1 that are the same in every run (mulberry32). */
const makeRandom = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
}
