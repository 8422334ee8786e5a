/** A service whose place is configured, and replicas behind real sockets. */
import { assert, describe, it } from "@effect/vitest"
import { Model, type ServiceError } from "chorale"
import { Socket } from "chorale/node"
import { ConfigProvider, Context, Deferred, Effect, Exit, Fiber, Layer, Schema, Scope, Stream } from "effect"
import { Rpc } from "effect/rpc"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { AddressError } from "../../src/Discovery.ts"
import * as Dns from "../../src/node/Dns.ts"
import * as Location from "../../src/node/Location.ts"
import * as Replicas from "../../src/Replicas.ts"
import { Echo, echoLive, makeWaiting } from "../fixtures/echo.ts"
import { keepsItsPromises } from "../fixtures/promises.ts"
import { serve as serveHttp } from "../fixtures/server.ts"

class Who extends Model.Service<Who>()("test/WhoIsThere", [
  Rpc.make("name", { success: Schema.String }),
  Rpc.make("count", { payload: { to: Schema.Int }, success: Schema.Int, stream: true })
]) {}

const whoLive = (name: string) =>
  Who.toLayer({ name: () => Effect.succeed(name), count: ({ to }) => Stream.range(1, to) })

const temporary = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "chorale-"))),
  (directory) => Effect.sync(() => Fs.rmSync(directory, { recursive: true }))
)

const serve = Effect.fnUntraced(function*(name: string, address: Socket.Address) {
  const context = yield* Layer.build(Layer.provide(Socket.layerServer([Who], address), whoLive(name)))
  const bound = Context.get(context, Socket.Server).address
  return "path" in bound ? `unix:${bound.path}` as const : `tcp://127.0.0.1:${bound.port}` as const
})

/** Who answers some calls of a service that is configured by these variables. */
const ask = (env: Record<string, string>) =>
  Effect.gen(function*() {
    const who = yield* Who
    const names = yield* Effect.forEach(Array.from({ length: 20 }), () => who.name())
    return Array.from(new Set(names)).toSorted()
  }).pipe(
    Effect.provide(
      Location.layer(Who, whoLive("here")).pipe(
        Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env })))
      )
    )
  )

describe("Location.layer", () => {
  it.live("is the service of this process where no variable is set", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* ask({}), ["here"])
    }))

  it.live("is the service at the address that is set: a unix socket, a port, a URL", () =>
    Effect.gen(function*() {
      const unix = yield* serve("unix", { path: Path.join(yield* temporary, "who.sock") })
      const tcp = yield* serve("tcp", { port: 0 })
      const http = yield* serveHttp(Who, whoLive("http"))
      assert.deepStrictEqual(yield* ask({ WHO_IS_THERE_URL: unix }), ["unix"])
      assert.deepStrictEqual(yield* ask({ WHO_IS_THERE_URL: tcp }), ["tcp"])
      assert.deepStrictEqual(yield* ask({ WHO_IS_THERE_URL: http }), ["http"])
      assert.deepStrictEqual(yield* ask({ TEST_WHO_IS_THERE_URL: unix, WHO_IS_THERE_URL: tcp }), ["unix"])
      assert.deepStrictEqual(yield* ask({ WHO_IS_THERE_URL: `${unix},${tcp},${http}` }), ["http", "tcp", "unix"])
    }))

  it.live("is a replica for each address that a name has", () =>
    Effect.gen(function*() {
      const tcp = yield* serve("tcp", { port: 0 })
      const other = yield* serve("other", { port: 0 })
      const url = tcp.replace("tcp://127.0.0.1", "dns+tcp://who.test")
      const resolver = Layer.succeed(Dns.Resolver, () => Effect.succeed(["127.0.0.1"]))
      assert.deepStrictEqual(yield* Effect.provide(ask({ WHO_IS_THERE_URL: url }), resolver), ["tcp"])
      assert.deepStrictEqual(yield* Effect.provide(ask({ WHO_IS_THERE_URL: `${url},${other}` }), resolver), [
        "other",
        "tcp"
      ])
    }))

  it.live("fails before anything is built where an address is wrong", () =>
    Effect.gen(function*() {
      let built = 0
      const local = Layer.unwrap(Effect.sync(() => {
        built++
        return whoLive("here")
      }))
      const env = { WHO_IS_THERE_URL: "localhost:3000" }
      const error = yield* Effect.flip(
        Layer.build(Location.layer(Who, local)).pipe(
          Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env })))
        )
      )
      assert.instanceOf(error, AddressError)
      assert.include(error.message, "WHO_IS_THERE_URL")
      assert.strictEqual(built, 0)
    }))
})

describe("replicas behind unix sockets", () => {
  describe("keep their promises", () => {
    keepsItsPromises((use) =>
      Effect.gen(function*() {
        const waiting = yield* makeWaiting
        const directory = yield* temporary
        const addresses = ["a", "b", "c"].map((name) => `unix:${Path.join(directory, name)}` as `unix:/${string}`)
        for (const address of addresses) {
          yield* Layer.build(
            Layer.provide(Socket.layerServer([Echo], { path: address.slice("unix:".length) }), echoLive(waiting))
          )
        }
        const layer = Replicas.layerAddresses(Echo, {
          addresses,
          connect: (address) => Location.layerAddress(Echo, address)
        })
        const context = yield* Layer.build(layer)
        yield* use(Context.get(context, Echo), waiting)
      })
    )
  })

  it.live("answers every call with a retry while one of three servers stops and comes back", () =>
    Effect.gen(function*() {
      const directory = yield* temporary
      const paths = ["a", "b", "c"].map((name) => Path.join(directory, name))
      const start = Effect.fnUntraced(function*(path: string) {
        const scope = yield* Scope.fork(yield* Effect.scope)
        yield* serve(path, { path }).pipe(Scope.provide(scope))
        return scope
      })
      const scopes = yield* Effect.forEach(paths, start)
      const context = yield* Layer.build(Replicas.layerAddresses(Who, {
        addresses: paths.map((path) => `unix:${path}` as `unix:/${string}`),
        connect: (address) => Location.layerAddress(Who, address, { connectTimeout: "20 millis" }),
        eject: { from: "10 millis", to: "50 millis" }
      }))
      const who = Context.get(context, Who)
      const { changes, status } = Context.get(context, Replicas.view(Who))
      let failed = 0
      const call = Effect.suspend(() => who.name()).pipe(
        Effect.tapError(() => Effect.sync(() => failed++)),
        Effect.retry({ times: 5, while: (error: ServiceError.ServiceError) => error.reason._tag === "Unavailable" })
      )
      const halfway = yield* Deferred.make<void>()
      const calls = yield* Effect.forkChild(Effect.forEach(
        Array.from({ length: 6000 }, (_, index) => index),
        (index) => Effect.andThen(index === 2000 ? Deferred.succeed(halfway, undefined) : Effect.void, call),
        { concurrency: 16 }
      ))
      yield* Deferred.await(halfway)
      if (scopes[0] !== undefined) yield* Scope.close(scopes[0], Exit.void)
      yield* Fiber.join(calls)
      assert.isAtLeast(failed, 1)
      assert.isAtMost(failed, 200)
      yield* start(paths[0] ?? "")
      const calling = yield* Effect.forkChild(Effect.forever(call))
      const isReady = ({ state }: { readonly state: string }) => state === "ready"
      yield* Stream.runDrain(Stream.takeUntil(changes, (replicas) => replicas.every(isReady)))
      yield* Fiber.interrupt(calling)
      assert.isTrue((yield* status).every(({ inFlight }) => inFlight === 0))
    }))
})
