import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Deployment, Serve, ServiceError, Tensor } from "chorale"
import { Context, Deferred, Effect, Fiber, Layer, Redacted, Schema, type Scope, Stream } from "effect"
import { FetchHttpClient, HttpRouter, HttpServer } from "effect/http"
import { Rpc } from "effect/rpc"
import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import * as Client from "../src/Client.ts"
import { Service } from "../src/Model.ts"
import { at, Echo, echoLive, makeWaiting, Refused, type Waiting } from "./fixtures/echo.ts"
import { makeProbe, Probe } from "./fixtures/httpProbe.ts"

class Upper extends Service<Upper>()("test/Upper", [
  Rpc.make("upper", { payload: { text: Schema.String }, success: Schema.String })
]) {}

const UpperLive = Upper.toLayer({ upper: ({ text }) => Effect.succeed(text.toUpperCase()) })

const token = Redacted.make("secret")

/** A server of Echo and Upper on a free port that asks for a token. */
const serve = Effect.fnUntraced(function*(waiting: Waiting) {
  const server = HttpRouter.serve(Serve.http([Echo, Upper], { token }), { disableLogger: true, disableListenLog: true })
  return yield* listen(server.pipe(Layer.provide([echoLive(waiting), UpperLive])))
})

const listen = <A, E>(server: Layer.Layer<A, E, HttpServer.HttpServer>) => {
  const listening = NodeHttpServer.layer(createServer, {
    host: "127.0.0.1",
    port: 0,
    gracefulShutdownTimeout: "1 second"
  })
  return Effect.map(
    Layer.build(Layer.provideMerge(server, listening)),
    (context) => HttpServer.formatAddress(Context.get(context, HttpServer.HttpServer).address)
  )
}

const services = { echo: Echo, upper: Upper }

type Promises = Client.PromiseClient<typeof services>

const withPromises = (use: (client: Promises, waiting: Waiting) => Effect.Effect<void, unknown, Scope.Scope>) =>
  Effect.gen(function*() {
    const waiting = yield* makeWaiting
    const url = yield* serve(waiting)
    const client = yield* Effect.acquireRelease(
      Effect.sync(() => Client.promise(services, { url, token })),
      (client) => Effect.promise(client.close)
    )
    yield* use(client, waiting)
  })

/** What a promise rejects with. */
const rejection = (promise: Promise<unknown>): Effect.Effect<unknown> =>
  Effect.flip(Effect.tryPromise({ try: () => promise, catch: (error) => error })).pipe(Effect.orDie)

const collect = async <A>(items: AsyncIterable<A>): Promise<ReadonlyArray<A>> => {
  const collected: Array<A> = []
  for await (const item of items) collected.push(item)
  return collected
}

describe("Client.layer", () => {
  it.live("satisfies several services with one server", () =>
    Effect.gen(function*() {
      const url = yield* serve(yield* makeWaiting)
      const program = Effect.gen(function*() {
        const echo = yield* Echo
        const upper = yield* Upper
        return yield* upper.upper({ text: yield* echo.greet({ name: "x" }) })
      })
      const answer = yield* Effect.provide(program, Client.layer([Echo, Upper], { url, token }))
      assert.strictEqual(answer, "HELLO X")
    }))

  it.live("is refused without the token of the server", () =>
    Effect.gen(function*() {
      const url = yield* serve(yield* makeWaiting)
      const error = yield* Effect.flatMap(Echo, (echo) => Effect.flip(echo.greet({ name: "x" }))).pipe(
        Effect.provide(Client.layer([Echo], { url }))
      )
      assert.strictEqual(error.reason._tag, "ContractMismatch")
      assert.include(error.message, "401")
    }))

  it.live("uses the fetch of the context", () =>
    Effect.gen(function*() {
      const url = yield* serve(yield* makeWaiting)
      const seen: Array<string> = []
      const counting: typeof fetch = (input, init) => {
        seen.push(String(input))
        return fetch(input, init)
      }
      yield* Effect.flatMap(Echo, (echo) => echo.greet({ name: "x" })).pipe(
        Effect.provide(Client.layer([Echo], { url, token })),
        Effect.provideService(FetchHttpClient.Fetch, counting)
      )
      assert.deepStrictEqual(seen, [`${url}/rpc`])
    }))
})

describe("Client.make", () => {
  it.live("gives the functions of services by the names it was asked for", () =>
    Effect.gen(function*() {
      const url = yield* serve(yield* makeWaiting)
      const client = yield* Client.make(services, { url, token })
      assert.strictEqual(yield* client.upper.upper({ text: "a" }), "A")
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(client.echo.count({ to: 3 }), 2)), [1, 2])
      const error = yield* Effect.flip(client.echo.refuse({ reason: "no", at }))
      assert.instanceOf(error, Refused)
    }))
})

describe("a client of a deployment", () => {
  const deployment = Deployment.make("shouting", { shouter: Deployment.unit(Upper, UpperLive, { expose: true }) })

  it.live("has the units by their names, with Effect and without", () =>
    Effect.gen(function*() {
      const url = yield* serve(yield* makeWaiting)
      const client = yield* Client.make(deployment, { url, token })
      assert.strictEqual(yield* client.shouter.upper({ text: "a" }), "A")
      const promises = Client.promise(deployment, { url, token })
      assert.strictEqual(yield* Effect.promise(() => promises.shouter.upper({ text: "b" })), "B")
      yield* Effect.promise(promises.close)
      const named = yield* Client.make({ units: Upper }, { url, token })
      assert.strictEqual(yield* named.units.upper({ text: "c" }), "C")
      // @ts-expect-error there is no such unit
      assert.isUndefined(client.whisperer)
    }))
})

describe("Client.promise", () => {
  it.live("answers with the results of the services", () =>
    withPromises(Effect.fnUntraced(function*({ echo, upper }) {
      assert.strictEqual(yield* Effect.promise(() => upper.upper({ text: "a" })), "A")
      const tensor = Tensor.make("float32", [1, 2], Float32Array.of(1, NaN))
      assert.deepStrictEqual(yield* Effect.promise(() => echo.tensor({ tensor })), tensor)
    })))

  it.live("throws a declared error as an instance of its class with its fields", () =>
    withPromises(Effect.fnUntraced(function*({ echo }) {
      const error = yield* rejection(echo.refuse({ reason: "no", at }))
      assert.instanceOf(error, Refused)
      assert.deepStrictEqual([error.reason, error.at], ["no", at])
    })))

  it.live("throws what went wrong around a call as a ServiceError", () =>
    withPromises(Effect.fnUntraced(function*({ echo }) {
      const error = yield* rejection(echo.shed())
      assert.instanceOf(error, ServiceError.ServiceError)
      assert.strictEqual(error.reason._tag, "Overloaded")
      assert.isTrue(error.isRetryable)
    })))

  it.live("gives the items of a stream, and throws its error after them", () =>
    withPromises(Effect.fnUntraced(function*({ echo }) {
      const seen: Array<number> = []
      const error = yield* rejection((async () => {
        for await (const item of echo.count({ to: 3 })) seen.push(item)
      })())
      assert.deepStrictEqual(seen, [1, 2, 3])
      assert.instanceOf(error, Refused)
    })))

  it.live("stops the producer of a stream whose loop is left", () =>
    Effect.gen(function*() {
      const { live, seen } = yield* makeProbe
      const url = yield* listen(
        HttpRouter.serve(Serve.http([Probe]), { disableLogger: true, disableListenLog: true }).pipe(Layer.provide(live))
      )
      const client = Client.promise({ probe: Probe }, { url })
      yield* Effect.promise(async () => {
        for await (const _ of client.probe.flood()) break
      })
      yield* Deferred.await(seen.closed)
      yield* Effect.promise(client.close)
    }))

  it.live("interrupts the handler when the signal of a call is aborted, and rejects with its reason", () =>
    withPromises(Effect.fnUntraced(function*({ echo }, waiting) {
      const controller = new AbortController()
      const call = yield* Effect.forkChild(rejection(echo.wait(undefined, { signal: controller.signal })))
      yield* Deferred.await(waiting.started)
      const reason = new Error("not wanted any more")
      controller.abort(reason)
      assert.strictEqual(yield* Fiber.join(call), reason)
      yield* Deferred.await(waiting.interrupted)
    })))

  it.live("sends nothing when the signal was aborted before the call", () =>
    withPromises(Effect.fnUntraced(function*({ echo }, waiting) {
      const reason = new Error("too late")
      const signal = AbortSignal.abort(reason)
      assert.strictEqual(yield* rejection(echo.wait(undefined, { signal })), reason)
      assert.strictEqual(yield* rejection(collect(echo.count({ to: 3 }, { signal }))), reason)
      assert.isFalse(yield* Deferred.isDone(waiting.started))
    })))

  it.live("gives a call no more time than it was told to", () =>
    withPromises(Effect.fnUntraced(function*({ echo }, waiting) {
      const error = yield* rejection(echo.wait(undefined, { timeout: "200 millis" }))
      assert.instanceOf(error, ServiceError.ServiceError)
      assert.strictEqual(error.reason._tag, "DeadlineExceeded")
      yield* Deferred.await(waiting.interrupted)
      const expired = yield* rejection(collect(echo.count({ to: 3 }, { timeout: 0 })))
      assert.instanceOf(expired, ServiceError.ServiceError)
      assert.strictEqual(expired.reason._tag, "DeadlineExceeded")
    })))

  it.live("ends its calls and refuses others once it is closed", () =>
    withPromises(Effect.fnUntraced(function*({ close, echo }, waiting) {
      const call = yield* Effect.forkChild(rejection(echo.wait()))
      yield* Deferred.await(waiting.started)
      yield* Effect.promise(close)
      yield* Deferred.await(waiting.interrupted)
      const later = [rejection(echo.greet({ name: "x" })), rejection(collect(echo.count({ to: 1 })))]
      for (const error of [yield* Fiber.join(call), ...yield* Effect.all(later, { concurrency: 1 })]) {
        assert.instanceOf(error, ServiceError.ServiceError)
        assert.strictEqual(error.reason._tag, "Unavailable")
        assert.include(error.message, "the client is closed")
      }
    })))

  it("is typed by the contracts", () => {
    const check = (client: Promises) => {
      const greeting: Promise<string> = client.echo.greet({ name: "x" })
      const count: AsyncIterable<number> = client.echo.count({ to: 1 })
      // @ts-expect-error a payload has the fields of its contract
      const wrong = client.echo.greet({ name: 1 })
      // @ts-expect-error `close` is taken
      const taken = () => Client.promise({ close: Upper }, { url: "" })
      return [greeting, count, wrong, taken, client.echo.wait()]
    }
    assert.isFunction(check)
  })
})

describe("in a browser", () => {
  const statement = /^(?:import|export)\s(?!type\s)[^"]*?from "([^"]+)"|^import "([^"]+)"|\bimport\("([^"]+)"\)/gm

  /** The modules that a file needs when it runs, and the files of this package among them. */
  const importsOf = (start: string) => {
    const files = new Map<string, string>()
    const packages = new Set<string>()
    const visit = (url: URL) => {
      if (files.has(url.href)) return
      const source = readFileSync(url, "utf8").replaceAll(/\/\*[\s\S]*?\*\//g, "")
      files.set(url.href, source)
      for (const [, from, bare, dynamic] of source.matchAll(statement)) {
        const specifier = from ?? bare ?? dynamic ?? ""
        if (specifier.startsWith(".")) visit(new URL(specifier, url))
        else packages.add(specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/"))
      }
    }
    visit(new URL(start, import.meta.url))
    return { files, packages }
  }

  it("a client and the modules of contracts need nothing but effect", () => {
    for (const module of ["Client", "Model", "Tensor", "ServiceError", "Deadline"]) {
      const { files, packages } = importsOf(`../src/${module}.ts`)
      assert.deepStrictEqual(Array.from(packages), ["effect"], module)
      for (const [file, source] of files) {
        const withoutGuarded = source.includes("typeof Buffer === \"undefined\"")
          ? source.replaceAll("Buffer", "")
          : source
        assert.notMatch(withoutGuarded, /\b(Buffer|process|require)\s*[.([]/, file)
      }
    }
  })

  it("the entry of the package needs nothing of Node", () => {
    assert.deepStrictEqual(Array.from(importsOf("../src/index.ts").packages).toSorted(), ["effect", "yaml"])
  })

  it("what needs Node is found", () => {
    assert.include(Array.from(importsOf("../src/node/index.ts").packages), "@effect/platform-node")
    assert.isTrue(Array.from(importsOf("../src/node/index.ts").packages).some((name) => name.startsWith("node:")))
  })
})
