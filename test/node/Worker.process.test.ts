import { assert, describe, it } from "@effect/vitest"
import { Deadline, Resources, type ServiceError } from "chorale"
import { Context, Deferred, Effect, Fiber, Layer, Schedule } from "effect"
import { once } from "node:events"
import { ReplicaEnd } from "../../src/internal/replicaEnd.ts"
import * as Worker from "../../src/node/Worker.ts"
import * as Logs from "../fixtures/logs.ts"
import { Probe } from "../fixtures/probe.ts"
import * as Program from "../fixtures/program.ts"

const entry = new URL("../fixtures/probe.worker.ts", import.meta.url)
const workerProgram = new URL("../fixtures/workerProgram.ts", import.meta.url)

const build = <E>(layer: Layer.Layer<Probe, E>) =>
  Effect.map(Layer.build(layer), (context) => Context.get(context, Probe))

const probe = (options?: Partial<Worker.ProcessOptions>) => build(Worker.layerProcess(Probe, { entry, ...options }))

const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

const untilGone = (pid: number) =>
  Effect.sync(() => isAlive(pid)).pipe(
    Effect.repeat({ schedule: Schedule.spaced("10 millis"), while: (alive) => alive }),
    Effect.timeout("5 seconds")
  )

const withEnd = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const lost = Deferred.makeUnsafe<ServiceError.Unavailable>()
    const { layer } = yield* Logs.record
    const ended = (reason: ServiceError.Unavailable) => Deferred.doneUnsafe(lost, Effect.succeed(reason))
    const service = yield* self.pipe(
      Effect.provideService(ReplicaEnd, { service: Probe.key, ended, withdrawn: () => undefined }),
      Effect.provide(layer)
    )
    return [service, Deferred.await(lost)] as const
  })

describe("a service in a process", () => {
  it.live("gets its environment and arguments, and of what it was not granted nothing", () =>
    Effect.gen(function*() {
      const layer = Worker.layerProcess(Probe, { entry, env: { COLOUR: "red" }, execArgv: ["--no-deprecation"] })
      const required = Resources.require({ cpu: 3, gpu: 2 })(layer)
      const gpus = [4, 7].map((index) => ({ index, name: "any", memory: 1 }))
      const service = yield* build(required.pipe(
        Layer.provide(Resources.layer([required])),
        Layer.provide(Resources.layerMachine({ cpu: 8, memory: "1 GiB", gpus }))
      ))
      const names = ["COLOUR", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "UV_THREADPOOL_SIZE", "CHORALE_WORKER"]
      assert.deepStrictEqual(
        yield* Effect.forEach(names, (name) => service.variable({ name })),
        ["red", "4,7", "3", "3", null]
      )
      assert.deepStrictEqual(yield* service.grant(), { replicas: 1, threads: 3, gpus: [[0, 1]] })
    }))

  it.live("sees the devices of its parent where nothing was granted", () =>
    Effect.gen(function*() {
      const service = yield* probe()
      const visible = process.env["CUDA_VISIBLE_DEVICES"] ?? null
      assert.strictEqual(yield* service.variable({ name: "CUDA_VISIBLE_DEVICES" }), visible)
    }))

  it.live("is killed when a call goes on after its deadline", () =>
    Effect.gen(function*() {
      const [service, lost] = yield* withEnd(probe({ killAfter: "300 millis" }))
      const pid = yield* service.number()
      const hung = yield* Effect.flip(Deadline.within(service.spin({ millis: 20_000 }), "100 millis"))
      assert.strictEqual(hung.reason._tag, "DeadlineExceeded")
      const other = yield* Effect.flip(service.number())
      assert.strictEqual(other.reason._tag, "Unavailable")
      assert.include((yield* lost).detail, "test/Probe/spin went on after its deadline")
      yield* untilGone(pid)
    }))

  it.live("lives on when a call ends late, but within the time it has", () =>
    Effect.gen(function*() {
      const [service] = yield* withEnd(probe({ killAfter: "1 second" }))
      const pid = yield* service.number()
      yield* Effect.flip(Deadline.within(service.insist({ millis: 700 }), "50 millis"))
      yield* Effect.sleep("1500 millis")
      assert.strictEqual(yield* service.number(), pid)
    }))

  it.live("makes its calls Unavailable when it is killed, and says by what", () =>
    Effect.gen(function*() {
      const [service, lost] = yield* withEnd(probe())
      const pid = yield* service.number()
      const waits = yield* Effect.forkChild(Effect.flip(service.sleep({ millis: 20_000 })), { startImmediately: true })
      yield* service.number()
      process.kill(pid, "SIGKILL")
      assert.strictEqual((yield* Fiber.join(waits)).reason._tag, "Unavailable")
      assert.include((yield* lost).detail, "SIGKILL")
    }))

  it.live("leaves it to its parent what a signal to both of them means", () =>
    Effect.gen(function*() {
      const service = yield* probe()
      const pid = yield* service.number()
      process.kill(pid, "SIGINT")
      process.kill(pid, "SIGTERM")
      yield* service.sleep({ millis: 100 })
      assert.strictEqual(yield* service.number(), pid)
    }))

  it.live("is gone when its layer is released", () =>
    Effect.gen(function*() {
      const pid = yield* Effect.scoped(Effect.flatMap(probe(), (service) => service.number()))
      assert.isFalse(isAlive(pid))
    }))

  it.live("refuses a payload over the limit alone", () =>
    Effect.gen(function*() {
      const service = yield* probe({ maxFrameSize: "100 kB" })
      const error = yield* Effect.flip(service.variable({ name: "x".repeat(200_000) }))
      assert.strictEqual(error.reason._tag, "InvalidPayload")
      assert.isAbove(yield* service.number(), 0)
    }))

  it.live("does not keep a program from ending, and ends with it", () =>
    Effect.gen(function*() {
      const { code, output } = yield* Program.run(workerProgram, "idle-process")
      assert.strictEqual(code, 0, output)
      yield* untilGone(Number(output))
    }))

  it.live.each([["where Linux ends it", {}], ["where it watches for itself", { PATH: "" }]] as const)(
    "ends with a parent that is killed, idle or busy, %s",
    ([, env]) =>
      Effect.gen(function*() {
        const program = yield* Program.start(workerProgram, ["orphans"], env)
        const [line] = yield* Effect.promise(() => once(program.stdout, "data"))
        const pids = String(line).trim().split(" ").map(Number)
        assert.deepStrictEqual(pids.map(isAlive), [true, true])
        program.kill("SIGKILL")
        yield* Effect.forEach(pids, untilGone)
      })
  )
})
