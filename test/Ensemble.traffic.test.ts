import { assert, describe, it } from "@effect/vitest"
import { Ensemble } from "chorale"
import { Context, Deferred, Effect, Exit, Fiber, Logger, Random, Scope } from "effect"
import { TestClock } from "effect/testing"
import { makeJournal } from "./fixtures/members.ts"

const arms = {
  stable: Effect.succeed("stable"),
  candidate: Effect.succeed("candidate"),
  third: Effect.succeed("third")
}

const keys = Array.from({ length: 20_000 }, (_, index) => `user-${index}`)

const assign = Effect.fnUntraced(function*(weights: Ensemble.Weights<typeof arms>, name?: string) {
  const assigned: Array<string> = []
  for (const key of keys) assigned.push(yield* Ensemble.split(arms, { weights, key, name }))
  return assigned
})

const part = (assigned: ReadonlyArray<string>, arm: string) =>
  assigned.filter((other) => other === arm).length / assigned.length

describe("Ensemble.split", () => {
  it.effect("gives the same key the same member, in every version of the library", () =>
    Effect.gen(function*() {
      const weights = { stable: 1, candidate: 1, third: 1 }
      const assigned: Array<string> = []
      for (const key of ["a", "b", "c", "ä", "", "user-1"]) assigned.push(yield* Ensemble.split(arms, { weights, key }))
      assert.deepStrictEqual(assigned, ["third", "candidate", "third", "third", "candidate", "candidate"])
    }))

  it.effect("gives each member its part of the keys", () =>
    Effect.gen(function*() {
      const assigned = yield* assign({ stable: 0.7, candidate: 0.2, third: 0.1 })
      assert.approximately(part(assigned, "stable"), 0.7, 0.015)
      assert.approximately(part(assigned, "candidate"), 0.2, 0.015)
      assert.approximately(part(assigned, "third"), 0.1, 0.015)
    }))

  it.effect("moves keys only to a member that gained weight", () =>
    Effect.gen(function*() {
      const before = yield* assign({ stable: 8, candidate: 1, third: 1 })
      const after = yield* assign({ stable: 8, candidate: 2, third: 1 })
      for (const [index, arm] of after.entries()) {
        if (arm !== before[index]) assert.strictEqual(arm, "candidate")
      }
      assert.isAbove(part(after, "candidate"), part(before, "candidate"))
    }))

  it.effect("splits independently under another name", () =>
    Effect.gen(function*() {
      const weights = { stable: 1, candidate: 1, third: 0 }
      const one = yield* assign(weights, "one")
      const other = yield* assign(weights, "other")
      const same = one.filter((arm, index) => arm === other[index]).length
      assert.approximately(same / keys.length, 0.5, 0.02)
    }))

  it.effect("gives a member of weight zero nothing, with a key or without", () =>
    Effect.gen(function*() {
      const weights = { stable: 1, candidate: 0, third: 0 }
      assert.strictEqual(part(yield* assign(weights), "stable"), 1)
      for (let call = 0; call < 100; call++) {
        assert.strictEqual(yield* Ensemble.split(arms, { weights }), "stable")
      }
    }))

  it.effect("without a key leaves the choice to Random, by weight", () =>
    Effect.gen(function*() {
      const chosen: Array<string> = []
      for (let call = 0; call < 20_000; call++) {
        chosen.push(yield* Ensemble.split(arms, { weights: { stable: 7, candidate: 2, third: 1 } }))
      }
      assert.approximately(part(chosen, "stable"), 0.7, 0.015)
      assert.approximately(part(chosen, "candidate"), 0.2, 0.015)
    }).pipe(Random.withSeed("split")))

  it.effect("starts no other member, and says in the span which it was", () =>
    Effect.gen(function*() {
      const span = yield* Effect.currentSpan
      yield* Ensemble.split({ a: Effect.void, b: Effect.die("started") }, { weights: { a: 1, b: 0 } })
      assert.strictEqual(span.attributes.get("ensemble.member"), "a")
    }).pipe(Effect.withSpan("test")))
})

describe("Ensemble.makeMirror", () => {
  it.effect("answers with the call while the shadow goes on", () =>
    Effect.gen(function*() {
      const mirror = yield* Ensemble.makeMirror({ concurrency: 1 })
      assert.strictEqual(yield* mirror.run(Effect.succeed("a"), Effect.never), "a")
      assert.deepStrictEqual(yield* mirror.counts, { mirrored: 1, dropped: 0, running: 1 })
    }))

  it.effect("starts the shadow after the first step of the call", () =>
    Effect.gen(function*() {
      const order: Array<string> = []
      const mirror = yield* Ensemble.makeMirror({ concurrency: 1 })
      yield* mirror.run(Effect.sync(() => order.push("call")), Effect.sync(() => order.push("shadow")))
      assert.deepStrictEqual(order, ["call"])
      yield* Effect.yieldNow
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(order, ["call", "shadow"])
    }))

  it.effect("hides a shadow that fails or dies from the caller", () =>
    Effect.gen(function*() {
      const seen: Array<Exit.Exit<unknown, unknown>> = []
      const mirror = yield* Ensemble.makeMirror({
        concurrency: 2,
        onMirrored: ({ shadow }) => Effect.sync(() => seen.push(shadow))
      })
      assert.strictEqual(yield* mirror.run(Effect.succeed(1), Effect.fail("no")), 1)
      assert.strictEqual(yield* mirror.run(Effect.succeed(2), Effect.die("a bug")), 2)
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(seen, [Exit.fail("no"), Exit.die("a bug")])
      assert.deepStrictEqual(yield* mirror.counts, { mirrored: 2, dropped: 0, running: 0 })
    }))

  it.effect("drops shadows when it is full, and mirrors again when there is room", () =>
    Effect.gen(function*() {
      const mirror = yield* Ensemble.makeMirror({ concurrency: 2 })
      const shadow = Effect.sleep(100)
      for (let call = 0; call < 5; call++) assert.strictEqual(yield* mirror.run(Effect.succeed(call), shadow), call)
      assert.deepStrictEqual(yield* mirror.counts, { mirrored: 2, dropped: 3, running: 2 })
      yield* TestClock.adjust(100)
      yield* mirror.run(Effect.void, shadow)
      assert.deepStrictEqual(yield* mirror.counts, { mirrored: 3, dropped: 3, running: 1 })
    }))

  it.effect("keeps its place until the call has ended too, and shows how both did", () =>
    Effect.gen(function*() {
      const seen: Array<unknown> = []
      const mirror = yield* Ensemble.makeMirror({
        concurrency: 1,
        onMirrored: (mirrored) => Effect.sync(() => seen.push(mirrored))
      })
      const call = yield* Effect.forkChild(mirror.run(Effect.delay(Effect.fail("no"), 50), Effect.succeed("shadow")))
      yield* TestClock.adjust(49)
      assert.strictEqual((yield* mirror.counts).running, 1)
      yield* TestClock.adjust(1)
      yield* Fiber.await(call)
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(seen, [{ answer: Exit.fail("no"), shadow: Exit.succeed("shadow") }])
      assert.strictEqual((yield* mirror.counts).running, 0)
    }))

  it.effect("mirrors the part of calls that it is asked to", () =>
    Effect.gen(function*() {
      const mirror = yield* Ensemble.makeMirror({ concurrency: 10_000, sample: 0.1 })
      for (let call = 0; call < 10_000; call++) yield* mirror.run(Effect.void, Effect.void)
      const { dropped, mirrored } = yield* mirror.counts
      assert.approximately(mirrored, 1000, 100)
      assert.strictEqual(dropped, 0)
    }).pipe(Random.withSeed("mirror")))

  it.effect("with a sample of zero mirrors nothing, whatever is drawn", () =>
    Effect.gen(function*() {
      const mirror = yield* Ensemble.makeMirror({ concurrency: 1, sample: 0 })
      yield* mirror.run(Effect.void, Effect.die("started"))
      assert.deepStrictEqual(yield* mirror.counts, { mirrored: 0, dropped: 0, running: 0 })
    }).pipe(Effect.provideService(Random.Random, { nextDoubleUnsafe: () => 0, nextIntUnsafe: () => 0 })))

  it.effect("lets the shadow go on when the caller is interrupted, and tells so", () =>
    Effect.gen(function*() {
      const answer = yield* Deferred.make<boolean>()
      const mirror = yield* Ensemble.makeMirror({
        concurrency: 1,
        onMirrored: ({ answer: exit }) => Deferred.succeed(answer, Exit.hasInterrupts(exit)).pipe(Effect.asVoid)
      })
      const journal = makeJournal()
      const call = yield* Effect.forkChild(mirror.run(Effect.never, journal.after("shadow", 50, Effect.void)))
      yield* TestClock.adjust(10)
      yield* Fiber.interrupt(call)
      assert.deepStrictEqual(journal.interrupted, [])
      yield* TestClock.adjust(40)
      assert.isTrue(yield* Deferred.await(answer))
    }))

  it.effect("interrupts its shadows when its scope closes, and has none afterwards", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const mirror = yield* Scope.provide(Ensemble.makeMirror({ concurrency: 4 }), scope)
      const journal = makeJournal()
      yield* mirror.run(Effect.void, journal.after("shadow", 50, Effect.void))
      yield* TestClock.adjust(1)
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(journal.interrupted, ["shadow"])
      assert.strictEqual(yield* mirror.run(Effect.succeed(1), Effect.die("started")), 1)
      assert.strictEqual((yield* mirror.counts).running, 0)
    }))

  it.effect("gives the shadow the services of the caller but a scope of its own", () =>
    Effect.gen(function*() {
      class Name extends Context.Service<Name, string>()("test/Name") {}
      const closed: Array<string> = []
      const mirror = yield* Ensemble.makeMirror({ concurrency: 1 })
      const shadow = Effect.gen(function*() {
        const name = yield* Name
        yield* Effect.addFinalizer(() => Effect.sync(() => closed.push(name)))
      })
      yield* mirror.run(Effect.void, shadow).pipe(Effect.provideService(Name, "the caller's"))
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(closed, ["the caller's"])
    }))

  it.effect("gives the place back when the observer dies, and logs it", () => {
    const logged: Array<unknown> = []
    const logger = Logger.make(({ logLevel, message }) => logged.push([logLevel, message]))
    return Effect.gen(function*() {
      const mirror = yield* Ensemble.makeMirror({ concurrency: 1, onMirrored: () => Effect.die("a bug") })
      yield* mirror.run(Effect.void, Effect.void)
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* mirror.counts).running, 0)
      assert.deepStrictEqual(logged, [["Warn", ["the observer of a mirror failed", "a bug"]]])
    }).pipe(Effect.provide(Logger.layer([logger])))
  })
})
