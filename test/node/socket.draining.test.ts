/** A server that is released lets the calls that run come to their end, and its clients go elsewhere. */
import { assert, describe, it } from "@effect/vitest"
import { Model, ServiceError } from "chorale"
import { Socket } from "chorale/node"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Ref, Schema, Scope, Stream } from "effect"
import { Rpc } from "effect/rpc"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"

class Named extends Model.Service<Named>()("test/Named", [
  Rpc.make("name", { success: Schema.String }),
  Rpc.make("slowly", { success: Schema.String }),
  Rpc.make("names", { success: Schema.String, stream: true })
]) {}

/** What a handler waits for, and says. */
interface Gate {
  readonly started: Deferred.Deferred<void>
  readonly open: Deferred.Deferred<void>
  readonly interrupted: Deferred.Deferred<void>
}

const makeGate: Effect.Effect<Gate> = Effect.all({
  started: Deferred.make<void>(),
  open: Deferred.make<void>(),
  interrupted: Deferred.make<void>()
})

const live = (name: string, { interrupted, open, started }: Gate) => {
  const pass = Deferred.succeed(started, undefined).pipe(
    Effect.andThen(Deferred.await(open)),
    Effect.onInterrupt(() => Deferred.succeed(interrupted, undefined))
  )
  return Named.toLayer({
    name: () => Effect.succeed(name),
    slowly: () => Effect.as(pass, name),
    names: () =>
      Stream.make(name).pipe(
        Stream.concat(Stream.fromEffect(Effect.as(pass, name))),
        Stream.concat(Stream.rechunk(Stream.make(name, name, name), 1))
      )
  })
}

const serve = Effect.fnUntraced(function*(
  address: Socket.Address,
  name: string,
  gate: Gate,
  options?: Socket.ServerOptions
) {
  const scope = yield* Scope.make()
  yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
  const server = yield* Layer.build(Layer.provide(Socket.layerServer([Named], address, options), live(name, gate)))
    .pipe(Scope.provide(scope))
  return { address: Context.get(server, Socket.Server).address, close: Scope.close(scope, Exit.void) }
})

const connect = (address: Socket.Address) =>
  Effect.map(Layer.build(Socket.layerClient(Named, address)), (context) => Context.get(context, Named))

const unixAddress = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "chorale-"))),
    (directory) => Effect.sync(() => Fs.rmSync(directory, { recursive: true }))
  ),
  (directory): Socket.Address => ({ path: Path.join(directory, "s") })
)

const tcpAddress = Effect.succeed<Socket.Address>({ port: 0 })

describe.each([["a unix socket", unixAddress], ["a port", tcpAddress]] as const)("a server on %s", (_, newAddress) => {
  it.live("finishes the calls and streams that run when it is released, while others go to the next server", () =>
    Effect.gen(function*() {
      const gate = yield* makeGate
      const first = yield* serve(yield* newAddress, "first", gate, { drainTimeout: "1 minute" })
      const named = yield* connect(first.address)
      const stream = yield* Effect.forkChild(Stream.runCollect(named.names()))
      const slow = yield* Effect.forkChild(named.slowly())
      yield* Deferred.await(gate.started)
      assert.strictEqual(yield* named.name(), "first")
      const closing = yield* Effect.forkChild(first.close, { startImmediately: true })
      yield* serve(first.address, "second", yield* makeGate)
      yield* Effect.repeat(named.name(), { until: (name) => name === "second" })
      assert.isUndefined(closing.pollUnsafe())
      yield* Deferred.succeed(gate.open, undefined)
      assert.strictEqual(yield* Fiber.join(slow), "first")
      assert.deepStrictEqual(yield* Fiber.join(stream), Array.from({ length: 5 }, () => "first"))
      yield* Fiber.join(closing)
      assert.strictEqual(yield* named.name(), "second")
    }).pipe(Effect.timeout("10 seconds")))

  it.live("takes back a call that is given up while it is being released", () =>
    Effect.gen(function*() {
      const gate = yield* makeGate
      const first = yield* serve(yield* newAddress, "first", gate, { drainTimeout: "1 minute" })
      const named = yield* connect(first.address)
      const slow = yield* Effect.forkChild(named.slowly())
      yield* Deferred.await(gate.started)
      const closing = yield* Effect.forkChild(first.close, { startImmediately: true })
      yield* serve(first.address, "second", yield* makeGate)
      yield* Effect.repeat(named.name(), { until: (name) => name === "second" })
      yield* Fiber.interrupt(slow)
      yield* Deferred.await(gate.interrupted)
      yield* Fiber.join(closing)
    }).pipe(Effect.timeout("10 seconds")))

  it.live("fails no call while servers take turns", () =>
    Effect.gen(function*() {
      const gate = yield* makeGate
      yield* Deferred.succeed(gate.open, undefined)
      let server = yield* serve(yield* newAddress, "0", gate)
      const { address } = server
      const stopped = yield* Ref.make(false)
      const named = yield* connect(address)
      const names = new Set<string>()
      const lane = Effect.gen(function*() {
        while (!(yield* Ref.get(stopped))) names.add(yield* named.slowly())
      })
      const lanes = yield* Effect.forkChild(
        Effect.all(Array.from({ length: 16 }, () => lane), { concurrency: "unbounded", discard: true })
      )
      for (let turn = 1; turn <= 10; turn++) {
        yield* Effect.repeat(Effect.yieldNow, { until: () => names.has(`${turn - 1}`) })
        yield* server.close
        server = yield* serve(address, `${turn}`, gate)
      }
      yield* Effect.repeat(Effect.yieldNow, { until: () => names.has("10") })
      yield* Ref.set(stopped, true)
      yield* Fiber.join(lanes)
    }).pipe(Effect.timeout("10 seconds")))

  it.live("is released at once where no call runs", () =>
    Effect.gen(function*() {
      const server = yield* serve(yield* newAddress, "first", yield* makeGate, { drainTimeout: "1 minute" })
      const named = yield* connect(server.address)
      assert.strictEqual(yield* named.name(), "first")
      yield* server.close
    }).pipe(Effect.timeout("5 seconds")))

  it.live("interrupts what runs on after drainTimeout, which is Unavailable for its caller", () =>
    Effect.gen(function*() {
      const gate = yield* makeGate
      const server = yield* serve(yield* newAddress, "first", gate, { drainTimeout: "50 millis" })
      const named = yield* connect(server.address)
      const slow = yield* Effect.forkChild(Effect.flip(named.slowly()))
      yield* Deferred.await(gate.started)
      yield* server.close
      const error = yield* Fiber.join(slow)
      assert.instanceOf(error, ServiceError.ServiceError)
      assert.strictEqual(error.reason._tag, "Unavailable")
      yield* Deferred.await(gate.interrupted)
    }).pipe(Effect.timeout("5 seconds")))
})
