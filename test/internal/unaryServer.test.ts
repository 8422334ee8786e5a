import { assert, describe, it } from "@effect/vitest"
import { Effect, Queue } from "effect"
import { RpcServer } from "effect/rpc"
import * as V8 from "node:v8"
import * as Vm from "node:vm"
import { codecFor } from "../../src/internal/bytesCodec.ts"
import * as UnaryServer from "../../src/internal/unaryServer.ts"

type Receive = Parameters<RpcServer.Protocol["Service"]["run"]>[0]

/** A server over a transport that is called by hand. */
const serve = Effect.fnUntraced(function*(handler: UnaryServer.Handler) {
  const answered: Array<unknown> = []
  let receive: Receive = () => Effect.void
  const disconnects = yield* Queue.make<number>()
  const protocol = yield* RpcServer.Protocol.make((writeRequest) => {
    receive = writeRequest
    return Effect.succeed({
      disconnects,
      send: (_client: number, message: unknown) => Effect.sync(() => void answered.push(message)),
      end: () => Effect.void,
      clientIds: Effect.succeed(new Set<number>()),
      initialMessage: Effect.succeedNone,
      supportsAck: true,
      supportsTransferables: false,
      supportsSpanPropagation: true,
      supportsNotifications: true,
      codecFor
    })
  })
  const server = yield* UnaryServer.make(protocol, new Map([["test/Echo", handler]]))
  yield* Effect.forkScoped(server.protocol.run(() => Effect.void), { startImmediately: true })
  const call = (client: number, id: number) =>
    receive(client, { _tag: "Request", id, tag: "test/Echo", payload: id, headers: [] })
  return { answered, call, server }
})

V8.setFlagsFromString("--expose-gc")
const collectGarbage: () => void = Vm.runInNewContext("gc")

const heapUsed = (): number => {
  collectGarbage()
  return process.memoryUsage().heapUsed
}

describe("the server of calls with one answer", () => {
  it.effect("interrupts the calls of a client that has gone, and no others", () =>
    Effect.gen(function*() {
      const interrupted: Array<unknown> = []
      const { call, server } = yield* serve((payload) =>
        Effect.onInterrupt(Effect.never, () => Effect.sync(() => void interrupted.push(payload)))
      )
      yield* call(1, 11)
      yield* call(1, 12)
      yield* call(2, 21)
      yield* server.disconnect(1)
      yield* Effect.yieldNow
      assert.deepStrictEqual(interrupted, [11, 12])
      yield* server.close
      assert.deepStrictEqual(interrupted, [11, 12, 21])
    }))

  it.effect("keeps nothing of a client that has gone, once the last of its calls has ended", () =>
    Effect.gen(function*() {
      const { answered, call, server } = yield* serve((payload) => payload === 1 ? Effect.succeed(1) : Effect.never)
      const clients = 20_000
      const before = heapUsed()
      for (let client = 0; client < clients; client++) {
        yield* call(client, 1)
        if (client % 2 === 0) yield* call(client, 2)
        yield* server.disconnect(client)
      }
      yield* Effect.yieldNow
      assert.strictEqual(answered.length, clients * 1.5)
      answered.length = 0
      // The least that is kept of one is several times as much.
      assert.isBelow(heapUsed() - before, 100 * clients)
    }))
})
