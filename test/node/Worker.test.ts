import { assert, describe, it, layer } from "@effect/vitest"
import { Deadline, Resources, ServiceError, Tensor } from "chorale"
import { Clock, Context, Deferred, Effect, Exit, Fiber, Layer, Schedule, Scope } from "effect"
import { ReplicaEnd } from "../../src/internal/replicaEnd.ts"
import { ReplicaLoad } from "../../src/internal/replicaLoad.ts"
import * as Worker from "../../src/node/Worker.ts"
import { Echo } from "../fixtures/echo.ts"
import * as Logs from "../fixtures/logs.ts"
import { Probe } from "../fixtures/probe.ts"

const echoEntry = new URL("../fixtures/echo.worker.ts", import.meta.url)
const probeEntry = new URL("../fixtures/probe.worker.ts", import.meta.url)
const inWay = (way: string) => ({ entry: probeEntry, env: { PROBE_WAY: way } })

const isUnavailable = (error: ServiceError.ServiceError) => error.reason._tag === "Unavailable"

const reasonTag = (error: unknown) => error instanceof ServiceError.ServiceError ? error.reason._tag : error

const locations = [
  ["a thread", Worker.layerThread, Worker.layerThread],
  ["a process", Worker.layerProcess, Worker.layerProcess]
] as const

describe.each(locations)("a service in %s", (place, layerEcho, layerProbe) => {
  const probe = (options?: Partial<Worker.ProcessOptions>) =>
    Effect.map(
      Layer.build(layerProbe(Probe, { entry: probeEntry, ...options })),
      (context) => Context.get(context, Probe)
    )

  const quietly = <A, E, R>(self: Effect.Effect<A, E, R>) =>
    Effect.flatMap(Logs.record, ({ layer }) => Effect.provide(self, layer))

  layer(Layer.orDie(layerEcho(Echo, { entry: echoEntry })), { excludeTestServices: true, timeout: "1 minute" })(
    "for many calls",
    (it) => {
      it.effect("carries tensors with their dtype, shape, NaN, -0 and 64-bit integers", () =>
        Effect.gen(function*() {
          const echo = yield* Echo
          const floats = Tensor.make("float32", [2, 3], Float32Array.of(NaN, -0, Infinity, -Infinity, 1e-45, 1))
          assert.deepStrictEqual(yield* echo.tensor({ tensor: floats }), floats)
          const integers = Tensor.make("int64", [2], BigInt64Array.of(-(2n ** 63n), 1n))
          assert.deepStrictEqual(yield* echo.integers({ tensor: integers }), integers)
          const empty = Tensor.zeros("float32", [0, 3])
          assert.deepStrictEqual(yield* echo.tensor({ tensor: empty }), empty)
          for (const length of [0, 1, 7, 4095, 4096, 100_003]) {
            const body = Uint8Array.from({ length: length + 8 }, (_, index) => index).subarray(8)
            assert.deepStrictEqual(yield* echo.bytes({ body }), body)
            assert.deepStrictEqual(yield* echo.bytes({ body: Buffer.from(body) }), body)
            assert.strictEqual(body.byteLength, length)
          }
        }))

      it.effect("carries a tensor of 20 MiB while small calls go on", () =>
        Effect.gen(function*() {
          const echo = yield* Echo
          const large = Tensor.zeros("float32", [20, 256 * 1024])
          large.data[large.data.length - 1] = 7
          const small = Effect.forEach(
            Array.from({ length: 50 }, (_, index) => `${index}`),
            (name) => Effect.map(echo.greet({ name }), (greeting) => assert.strictEqual(greeting, `hello ${name}`)),
            { concurrency: 5 }
          )
          const [back] = yield* Effect.all([echo.tensor({ tensor: large }), small], { concurrency: "unbounded" })
          assert.strictEqual(Buffer.compare(bytesOf(back), bytesOf(large)), 0)
        }))

      it.effect("answers 64 calls in flight with 600 KB each rightly, in memory that nothing else uses", () =>
        Effect.gen(function*() {
          const echo = yield* Echo
          const sent = Array.from(
            { length: 64 },
            (_, index) => Tensor.make("float32", [150, 1000], new Float32Array(150_000).fill(index + 1))
          )
          const rounds = yield* Effect.forEach(
            [0, 1],
            () => Effect.forEach(sent, (tensor) => echo.tensor({ tensor }), { concurrency: "unbounded" })
          )
          const kept = rounds.flat()
          for (const [index, tensor] of kept.entries()) {
            assert.strictEqual(Buffer.compare(bytesOf(tensor), bytesOf(sent[index % 64]!)), 0)
            assert.strictEqual(tensor.data[0], (index % 64) + 1)
          }
          assert.strictEqual(new Set(kept.map(({ data }) => data.buffer)).size, kept.length)
        }))
    }
  )

  it.live("overlaps the calls of one replica", () =>
    Effect.gen(function*() {
      const service = yield* probe()
      const started = yield* Clock.currentTimeMillis
      const calls = Array.from({ length: 64 }, () => service.sleep({ millis: 300 }))
      yield* Effect.all(calls, { concurrency: "unbounded" })
      assert.isBelow((yield* Clock.currentTimeMillis) - started, 2000)
    }))

  it.live("leaves the event loop of its caller alone", () =>
    Effect.gen(function*() {
      const service = yield* probe()
      const blocked = yield* Effect.forkChild(service.block({ millis: 500 }), { startImmediately: true })
      yield* Effect.sleep(50)
      assert.isUndefined(blocked.pollUnsafe())
      yield* Fiber.join(blocked)
    }))

  it.live("makes the calls of a replica that ends Unavailable, and those of no other", () =>
    quietly(Effect.gen(function*() {
      const lost = yield* Deferred.make<ServiceError.Unavailable>()
      const ended = (reason: ServiceError.Unavailable) => Deferred.doneUnsafe(lost, Effect.succeed(reason))
      const first = yield* asReplica(probe({ name: "first" }), ended)
      const second = yield* probe()
      const waits = yield* Effect.forkChild(Effect.flip(first.sleep({ millis: 20_000 })), { startImmediately: true })
      const other = yield* Effect.forkChild(second.sleep({ millis: 1000 }), { startImmediately: true })
      const error = yield* Effect.flip(first.exit({ code: 3 }))
      assert.strictEqual(error.service, "test/Probe")
      assert.strictEqual(error.method, "exit")
      assert.strictEqual(error.reason._tag, "Unavailable")
      assert.include(error.message, "first")
      assert.include(error.message, "exited with 3")
      assert.strictEqual(reasonTag(yield* Fiber.join(waits)), "Unavailable")
      assert.strictEqual(reasonTag(yield* Effect.flip(first.number())), "Unavailable")
      assert.include((yield* Deferred.await(lost)).detail, "exited with 3")
      yield* Fiber.join(other)
    })))

  it.live("is started again when it has ended by itself, until it does so too often", () =>
    quietly(Effect.gen(function*() {
      const respawn = { backoff: Schedule.spaced("10 millis"), crashLoop: { times: 2, within: "1 minute" } } as const
      const service = yield* probe({ respawn })
      const first = yield* service.number()
      assert.strictEqual(reasonTag(yield* Effect.flip(service.exit({ code: 3 }))), "Unavailable")
      const second = yield* Effect.retry(service.number(), {
        while: isUnavailable,
        schedule: Schedule.spaced("50 millis")
      })
      assert.notStrictEqual(second, first)
      yield* Effect.flip(service.exit({ code: 4 }))
      const failed = yield* Effect.flip(service.number())
      assert.strictEqual(reasonTag(failed), "Unavailable")
      assert.include(failed.message, "exited with 4")
    })))

  it.live("makes the calls of a replica with an uncaught exception Unavailable, and logs it", () =>
    Effect.gen(function*() {
      const logs = yield* Logs.record
      const service = yield* Effect.provide(probe(), logs.layer)
      const error = yield* Effect.flip(service.fail({ message: "nobody catches this" }))
      assert.strictEqual(error.reason._tag, "Unavailable")
      yield* logs.first("nobody catches this")
    }))

  it.live("fails with what was said where it does not start", () =>
    quietly(Effect.gen(function*() {
      const failed = yield* Effect.flip(probe(inWay("fails")))
      assert.strictEqual(failed.reason, "StartFailed")
      assert.include(failed.message, "no model")
      assert.include(failed.message, "the model is not there")
      const thrown = yield* Effect.flip(probe(inWay("throws")))
      assert.strictEqual(thrown.reason, "Crashed")
      assert.strictEqual(thrown.exitCode, 1)
      assert.include(thrown.message, "thrown while it starts")
      const missing = yield* Effect.flip(probe({ entry: new URL("./no-such-module.ts", import.meta.url) }))
      assert.strictEqual(missing.reason, "Crashed")
      assert.include(missing.message, "no-such-module")
      const other = yield* Effect.flip(probe({ entry: echoEntry }))
      assert.strictEqual(other.reason, "StartFailed")
      assert.include(other.message, "test/Echo")
      assert.include(other.message, "test/Probe")
    })))

  it.live("fails where it is not ready in time", () =>
    quietly(Effect.gen(function*() {
      const slow = inWay("slow")
      const error = yield* Effect.flip(probe({ ...slow, startTimeout: "1 second", gracePeriod: "100 millis" }))
      assert.strictEqual(error.reason, "StartTimedOut")
    })))

  it.live("forwards each line that it writes, with its name", () =>
    Effect.gen(function*() {
      const logs = yield* Logs.record
      const service = yield* Effect.provide(probe({ name: "left" }), logs.layer)
      yield* service.write({ line: "one\ntwo" })
      const [one, two, error] = yield* Effect.all([logs.first("one"), logs.first("two"), logs.first("two too")])
      assert.deepStrictEqual([one.text, one.level, one.annotations], ["one", "Info", {
        service: Probe.key,
        replica: "left"
      }])
      assert.strictEqual(two.text, "two")
      assert.strictEqual(error.level, "Warn")
    }))

  it.live("counts a call whose caller has gone until the replica has ended it", () =>
    Effect.gen(function*() {
      const freed = yield* Deferred.make<void>()
      const load = { abandoned: 0, onFreed: () => void Deferred.doneUnsafe(freed, Effect.void) }
      const service = yield* Effect.provideService(asReplica(probe()), ReplicaLoad, load)
      yield* Effect.timeoutOption(service.insist({ millis: 500 }), "50 millis")
      assert.strictEqual(load.abandoned, 1)
      yield* Deferred.await(freed)
      assert.strictEqual(load.abandoned, 0)
      assert.strictEqual(yield* service.variable({ name: "NO_SUCH_VARIABLE" }), null)
    }))

  it.live("counts no call whose replica has ended", () =>
    quietly(Effect.gen(function*() {
      const freed = yield* Deferred.make<void>()
      const load = { abandoned: 0, onFreed: () => void Deferred.doneUnsafe(freed, Effect.void) }
      const service = yield* Effect.provideService(asReplica(probe()), ReplicaLoad, load)
      yield* Effect.timeoutOption(service.insist({ millis: 60_000 }), "50 millis")
      yield* Effect.flip(service.exit({ code: 3 }))
      yield* Deferred.await(freed)
      assert.strictEqual(load.abandoned, 0)
    })))

  it.live("refuses a call whose deadline has passed, and interrupts one at its deadline", () =>
    Effect.gen(function*() {
      const service = yield* probe()
      const late = yield* Effect.flip(Deadline.within(service.sleep({ millis: 20_000 }), "100 millis"))
      assert.strictEqual(reasonTag(late), "DeadlineExceeded")
    }))

  it.live("builds its layer with what was granted to it, and releases it", () =>
    Effect.gen(function*() {
      const logs = yield* Logs.record
      const scope = yield* Scope.make()
      const layer = layerProbe(Probe, inWay("tells")).pipe(
        Resources.require({ cpu: 2, memory: "1 MiB", gpu: 1 })
      )
      const gpus = [{ index: 5, name: "any", memory: 1 }]
      const machine = Resources.layerMachine({ cpu: 4, memory: "1 GiB", gpus })
      const built = layer.pipe(
        Layer.provide(Resources.layer([layer])),
        Layer.provide(machine),
        Layer.provide(logs.layer),
        Layer.build,
        Scope.provide(scope)
      )
      const service = Context.get(yield* built, Probe)
      const expected = { replicas: 1, threads: 2, gpus: [[place === "a process" ? 0 : 5]] }
      assert.deepStrictEqual(yield* service.grant(), expected)
      yield* Scope.close(scope, Exit.void)
      yield* logs.first("released")
    }))

  it.live("is ended by force where it does not end in the time it has", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const stubborn = inWay("stubborn")
      yield* Scope.provide(probe({ ...stubborn, gracePeriod: "200 millis" }), scope)
      yield* Effect.timeout(Scope.close(scope, Exit.void), "5 seconds")
    }))
})

/** What others count as one of their replicas, and start again when it `ended`. */
const asReplica = <A, E, R>(
  self: Effect.Effect<A, E, R>,
  ended: (reason: ServiceError.Unavailable) => void = () => undefined
) => Effect.provideService(self, ReplicaEnd, { service: Probe.key, ended, withdrawn: () => undefined })

const bytesOf = ({ data }: Tensor.Tensor<"float32">) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
