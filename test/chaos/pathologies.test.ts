/** Ways in which a stack of model services goes wrong although its tests pass, each gone wherever a service runs. */
import { assert, describe, it } from "@effect/vitest"
import { ServiceError, Tensor } from "chorale"
import { Socket } from "chorale/node"
import { Effect, Fiber, Stream } from "effect"
import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { locations } from "../../soak/locations.ts"
import { Soak } from "../../soak/service.ts"
import { Blocking } from "../fixtures/blocking.server.ts"

const vector = (data: Float32Array<ArrayBuffer>) => Tensor.make("float32", [data.length], data)

/** An address of a server in a process of its own. */
const blockingServer = Effect.acquireRelease(
  Effect.sync(() => fork(fileURLToPath(new URL("../fixtures/blocking.server.ts", import.meta.url)))),
  (child) => Effect.sync(() => child.kill("SIGKILL"))
).pipe(
  Effect.flatMap((child) =>
    Effect.callback<Socket.Address>((resume) =>
      // What it sends is the address that its server got.
      void child.once("message", (address) => resume(Effect.succeed(address as Socket.Address)))
    )
  )
)

describe("a server that holds up its event loop", () => {
  it.live("is waited for, and calls beside it too, for longer than a heartbeat", () =>
    Effect.gen(function*() {
      const address = yield* blockingServer
      yield* Effect.gen(function*() {
        const service = yield* Blocking
        yield* service.block({ millis: 1 })
        const beside = yield* Effect.forkChild(service.block({ millis: 1 }), { startImmediately: true })
        yield* service.block({ millis: 1400 })
        yield* Fiber.join(beside)
      }).pipe(Effect.provide(Socket.layerClient(Blocking, address, { heartbeat: "1 second" })))
    }).pipe(Effect.timeout("20 seconds")))
})

for (const [where, layer] of Object.entries(locations)) {
  describe(`a service called in this way: ${where}`, () => {
    it.live("gives tensors of every small size aligned, in memory that nothing else uses", () =>
      Effect.gen(function*() {
        const soak = yield* Soak
        const buffers = new Set<unknown>()
        for (let length = 1; length <= 40; length++) {
          const sent = vector(Float32Array.from({ length }, (_, index) => index === 0 ? -0 : index))
          const { data } = yield* soak.tensor({ tensor: sent })
          assert.strictEqual(data.byteOffset % 8, 0)
          assert.deepStrictEqual(data, sent.data)
          assert.isTrue(Object.is(data[0], -0))
          assert.isAtMost(data.buffer.byteLength, data.byteLength + 1024)
          buffers.add(data.buffer)
        }
        assert.strictEqual(buffers.size, 40)
      }).pipe(Effect.provide(layer)))

    it.live("neither detaches nor changes the memory of a tensor that is a part of something larger", () =>
      Effect.gen(function*() {
        const soak = yield* Soak
        for (const length of [4, 5000]) {
          const pool = new Float32Array(length + 20).fill(7)
          const part = pool.subarray(10, 10 + length).fill(1)
          const { data } = yield* soak.tensor({ tensor: vector(part) })
          data.fill(2)
          assert.strictEqual(pool.length, length + 20)
          assert.isTrue(part.every((value) => value === 1))
          assert.isTrue([...pool.subarray(0, 10), ...pool.subarray(10 + length)].every((value) => value === 7))
        }
      }).pipe(Effect.provide(layer)))

    it.live("carries more than 16 MiB beside small calls", () =>
      Effect.gen(function*() {
        const soak = yield* Soak
        const sent = vector(new Float32Array(17 * 256 * 1024).fill(3))
        const small = Effect.forEach(
          Array.from({ length: 50 }, (_, index) => `${index}`),
          (text) => Effect.map(soak.text({ text }), (answer) => assert.strictEqual(answer, text)),
          { concurrency: 5 }
        )
        const [{ data }] = yield* Effect.all([soak.tensor({ tensor: sent }), small], { concurrency: "unbounded" })
        assert.strictEqual(Buffer.compare(Buffer.from(data.buffer, data.byteOffset, data.byteLength), bytesOf(sent)), 0)
      }).pipe(Effect.provide(layer)))

    it.live("fails alone where its payload is refused, in the middle of streams and other calls", () =>
      Effect.gen(function*() {
        const soak = yield* Soak
        const waiting = yield* Effect.forkChild(soak.wait(), { startImmediately: true })
        const stream = yield* Effect.forkChild(Stream.runCollect(soak.numbers({ to: 100 })))
        for (let index = 0; index < 10; index++) {
          // A caller in JavaScript can send what the types forbid.
          const error = yield* Effect.flip(soak.numbers({ to: "x" as unknown as number }).pipe(Stream.runDrain))
          assert.instanceOf(error, ServiceError.ServiceError)
        }
        assert.strictEqual((yield* Fiber.join(stream)).length, 100)
        assert.isUndefined(waiting.pollUnsafe())
        yield* Fiber.interrupt(waiting)
      }).pipe(Effect.provide(layer)))
  })
}

const bytesOf = ({ data }: Tensor.Tensor<"float32">) => Buffer.from(data.buffer, data.byteOffset, data.byteLength)
