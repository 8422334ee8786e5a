import { assert, describe, it } from "@effect/vitest"
import { ServiceError, Tensor } from "chorale"
import { Socket } from "chorale/node"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Scope, Stream } from "effect"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Os from "node:os"
import * as Path from "node:path"
import { at, Echo, echoLive, makeWaiting, Refused, type Waiting } from "../fixtures/echo.ts"
import { keepsItsPromises } from "../fixtures/promises.ts"

const temporary = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "chorale-"))),
  (directory) => Effect.sync(() => Fs.rmSync(directory, { recursive: true }))
)

const unixAddress = Effect.map(temporary, (directory): Socket.Address => ({ path: Path.join(directory, "echo.sock") }))
const tcpAddress = Effect.succeed<Socket.Address>({ port: 0 })

const serve = Effect.fnUntraced(function*<E>(
  address: Socket.Address,
  implementation: Layer.Layer<Echo, E>,
  options?: Socket.ServerOptions
) {
  const server = yield* Layer.build(Layer.provide(Socket.layerServer([Echo], address, options), implementation))
  return Context.get(server, Socket.Server).address
})

const remote = (address: Socket.Address, options?: Socket.ClientOptions) => Socket.layerClient(Echo, address, options)

const call = <A, E>(use: (echo: Echo["Service"]) => Effect.Effect<A, E>) => Effect.flatMap(Echo, use)

const reasonTag = (error: unknown) => error instanceof ServiceError.ServiceError ? error.reason._tag : error

/** A way to a server that can be cut while calls are on it. */
const proxy = (to: Socket.Address) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly address: Socket.Address; readonly cut: () => void; readonly close: () => void }>(
      (resume) => {
        const sockets = new Set<Net.Socket>()
        const server = Net.createServer((inner) => {
          const outer = Net.connect({ ...to })
          for (const socket of [inner, outer]) {
            sockets.add(socket)
            socket.on("error", () => undefined)
            socket.on("close", () => sockets.delete(socket))
          }
          inner.pipe(outer)
          outer.pipe(inner)
        })
        const cut = () => {
          for (const socket of sockets) socket.destroy()
        }
        server.listen(0, "127.0.0.1", () => {
          const address = server.address()
          const port = typeof address === "object" && address !== null ? address.port : 0
          resume(Effect.succeed({
            address: { port },
            cut,
            close: () => {
              cut()
              server.close()
            }
          }))
        })
      }
    ),
    ({ close }) => Effect.sync(close)
  )

describe.each([["a unix socket", unixAddress], ["TCP", tcpAddress]] as const)("Socket over %s", (_, newAddress) => {
  const withRemote = (use: (echo: Echo["Service"], waiting: Waiting) => Effect.Effect<void, unknown, Scope.Scope>) =>
    Effect.gen(function*() {
      const waiting = yield* makeWaiting
      const address = yield* serve(yield* newAddress, echoLive(waiting))
      yield* Effect.flatMap(Echo, (echo) => use(echo, waiting)).pipe(Effect.provide(remote(address)))
    })

  keepsItsPromises(withRemote)

  it.live("carries tensors with their dtype, shape, NaN, -0 and 64-bit integers", () =>
    withRemote(Effect.fnUntraced(function*(echo) {
      const floats = Tensor.make("float32", [2, 3], Float32Array.of(NaN, -0, Infinity, -Infinity, 1e-45, 1))
      assert.deepStrictEqual(yield* echo.tensor({ tensor: floats }), floats)
      const integers = Tensor.make("int64", [2], BigInt64Array.of(-(2n ** 63n), 1n))
      assert.deepStrictEqual(yield* echo.integers({ tensor: integers }), integers)
      const empty = Tensor.zeros("float32", [0, 3])
      assert.deepStrictEqual(yield* echo.tensor({ tensor: empty }), empty)
      assert.deepStrictEqual(yield* echo.bytes({ body: Uint8Array.of(1, 2, 3) }), Uint8Array.of(1, 2, 3))
    })))

  it.live("gives tensors of every small size aligned for their dtype, to keep", () =>
    withRemote(Effect.fnUntraced(function*(echo) {
      const sent = Array.from(
        { length: 40 },
        (_, index) => Tensor.make("float32", [index + 1, 1], new Float32Array(index + 1).fill(index))
      )
      const kept = yield* Effect.forEach(sent, (tensor) => echo.tensor({ tensor }))
      for (const [index, tensor] of kept.entries()) {
        assert.strictEqual(tensor.data.byteOffset % 8, 0)
        assert.deepStrictEqual(tensor, sent[index])
      }
    })))

  it.live("carries bytes of any length", () =>
    withRemote(Effect.fnUntraced(function*(echo) {
      for (const length of [0, 1, 7, 8, 32_767, 32_768, 65_537, 100_003, 1_000_001]) {
        const body = Uint8Array.from({ length }, (_, index) => index)
        const [first, second] = yield* Effect.all([echo.bytes({ body }), echo.bytes({ body })], {
          concurrency: "unbounded"
        })
        assert.strictEqual(Buffer.compare(first, body), 0)
        assert.strictEqual(Buffer.compare(second, body), 0)
      }
    })))

  it.live("carries a tensor of 17 MiB while small calls go on", () =>
    withRemote(Effect.fnUntraced(function*(echo) {
      const large = Tensor.zeros("float32", [17, 256 * 1024])
      large.data[large.data.length - 1] = 7
      const small = Effect.forEach(
        Array.from({ length: 50 }, (_, index) => `${index}`),
        (name) => Effect.map(echo.greet({ name }), (greeting) => assert.strictEqual(greeting, `hello ${name}`)),
        { concurrency: 5 }
      )
      const [back] = yield* Effect.all([echo.tensor({ tensor: large }), small], { concurrency: "unbounded" })
      assert.deepStrictEqual(Buffer.compare(new Uint8Array(back.data.buffer, back.data.byteOffset), bytesOf(large)), 0)
    })))

  it.live("answers 64 calls in flight with 600 KB each rightly, in memory that nothing else uses", () =>
    Effect.gen(function*() {
      const warnings: Array<string> = []
      const onWarning = (warning: Error) => warnings.push(warning.name)
      yield* Effect.acquireRelease(
        Effect.sync(() => process.on("warning", onWarning)),
        () => Effect.sync(() => process.off("warning", onWarning))
      )
      yield* withRemote(Effect.fnUntraced(function*(echo) {
        const sent = Array.from(
          { length: 64 },
          (_, index) => Tensor.make("float32", [150, 1000], new Float32Array(150_000).fill(index + 1))
        )
        const kept: Array<Tensor.Tensor<"float32">> = []
        for (let round = 0; round < 2; round++) {
          kept.push(
            ...yield* Effect.forEach(sent, (tensor) => echo.tensor({ tensor }), { concurrency: "unbounded" })
          )
        }
        for (const [index, tensor] of kept.entries()) {
          assert.strictEqual(Buffer.compare(bytesOf(tensor), bytesOf(sent[index % 64]!)), 0)
        }
        assert.strictEqual(new Set(kept.map(({ data }) => data.buffer)).size, kept.length)
      }))
      assert.deepStrictEqual(warnings, [])
    }))

  it.live("serves a remote service as a gateway without changing its answers or errors", () =>
    Effect.gen(function*() {
      const behind = yield* serve(yield* newAddress, echoLive(yield* makeWaiting))
      const gateway = yield* serve(yield* newAddress, remote(behind))
      yield* call(Effect.fnUntraced(function*(echo) {
        assert.strictEqual(yield* echo.greet({ name: "x" }), "hello x")
        assert.instanceOf(yield* Effect.flip(echo.refuse({ reason: "no", at })), Refused)
      })).pipe(Effect.provide(remote(gateway)))
    }))

  it.live("interrupts the handlers of a client that goes away", () =>
    Effect.gen(function*() {
      const waiting = yield* makeWaiting
      const address = yield* serve(yield* newAddress, echoLive(waiting))
      const { address: through, cut } = yield* proxy(address)
      const echo = yield* Effect.map(Layer.build(remote(through)), (context) => Context.get(context, Echo))
      const running = yield* Effect.forkChild(Effect.flip(echo.wait()))
      yield* Deferred.await(waiting.started)
      cut()
      assert.strictEqual(reasonTag(yield* Fiber.join(running)), "Unavailable")
      yield* Deferred.await(waiting.interrupted)
      assert.strictEqual(yield* echo.greet({ name: "x" }), "hello x")
    }))

  it.live("makes the calls of a server that stops Unavailable, and finds the next server", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const waiting = yield* makeWaiting
      const address = yield* serve(yield* newAddress, echoLive(waiting), { drainTimeout: 0 }).pipe(
        Scope.provide(scope)
      )
      const echo = yield* Effect.map(Layer.build(remote(address)), (context) => Context.get(context, Echo))
      const stream = yield* Effect.forkChild(
        Effect.flip(Stream.runDrain(Stream.concat(echo.count({ to: 3 }), Stream.never)))
      )
      const running = yield* Effect.forkChild(Effect.flip(echo.wait()))
      yield* Deferred.await(waiting.started)
      assert.instanceOf(yield* Fiber.join(stream), Refused)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(reasonTag(yield* Fiber.join(running)), "Unavailable")
      const next = yield* Effect.forkChild(echo.greet({ name: "x" }), { startImmediately: true })
      yield* serve(address, echoLive(waiting))
      assert.strictEqual(yield* Fiber.join(next), "hello x")
    }))

  it.live("is Unavailable within the time to connect where nothing listens", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const address = yield* serve(yield* newAddress, echoLive(yield* makeWaiting)).pipe(Scope.provide(scope))
      yield* Scope.close(scope, Exit.void)
      yield* call(Effect.fnUntraced(function*(echo) {
        const error = yield* Effect.flip(echo.greet({ name: "x" }))
        assert.strictEqual(error.service, "test/Echo")
        assert.strictEqual(error.method, "greet")
        assert.strictEqual(error.reason._tag, "Unavailable")
        const streamed = yield* Effect.flip(Stream.runDrain(echo.count({ to: 1 })))
        assert.strictEqual(reasonTag(streamed), "Unavailable")
        assert.strictEqual((yield* Effect.flip(echo.greet({ name: "" }))).reason._tag, "InvalidPayload")
      })).pipe(Effect.provide(remote(address, { connectTimeout: "50 millis" })), Effect.timeout("5 seconds"))
    }))

  it.live("refuses a payload over the limit of either side alone", () =>
    Effect.gen(function*() {
      const waiting = yield* makeWaiting
      const tensor = Tensor.zeros("float32", [100, 1000])
      const limited = yield* serve(yield* newAddress, echoLive(waiting), { maxFrameSize: "100 kB" })
      const unlimited = yield* serve(yield* newAddress, echoLive(waiting))
      const check = call(Effect.fnUntraced(function*(echo) {
        const other = yield* Effect.forkChild(echo.wait(), { startImmediately: true })
        const error = yield* Effect.flip(echo.tensor({ tensor }))
        assert.strictEqual(error.reason._tag, "InvalidPayload")
        assert.include(error.message, "limit")
        assert.strictEqual(yield* echo.greet({ name: "x" }), "hello x")
        assert.isUndefined(other.pollUnsafe())
        yield* Fiber.interrupt(other)
      }))
      yield* Effect.provide(check, remote(limited))
      yield* Effect.provide(check, remote(unlimited, { maxFrameSize: "100 kB" }))
    }))

  it.live("says that an address is in use", () =>
    Effect.gen(function*() {
      const address = yield* serve(yield* newAddress, echoLive(yield* makeWaiting))
      const error = yield* Effect.flip(serve(address, echoLive(yield* makeWaiting)))
      assert.instanceOf(error, Socket.ListenError)
      assert.strictEqual(error.reason, "AddressInUse")
      const greeting = yield* call((echo) => echo.greet({ name: "x" })).pipe(Effect.provide(remote(address)))
      assert.strictEqual(greeting, "hello x")
    }))
})

describe("Socket.layerServer on a path", () => {
  it.live("admits only its user, and leaves nothing behind", () =>
    Effect.gen(function*() {
      const directory = yield* temporary
      const path = Path.join(directory, "new", "echo.sock")
      const scope = yield* Scope.make()
      yield* serve({ path }, echoLive(yield* makeWaiting)).pipe(Scope.provide(scope))
      assert.strictEqual(Fs.statSync(path).mode & 0o777, 0o600)
      assert.strictEqual(Fs.statSync(Path.dirname(path)).mode & 0o777, 0o700)
      assert.deepStrictEqual(Fs.readdirSync(Path.dirname(path)), ["echo.sock"])
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(Fs.readdirSync(Path.dirname(path)), [])
    }))

  it.live("replaces the socket of a server that is gone, and no file that is none", () =>
    Effect.gen(function*() {
      const directory = yield* temporary
      const path = Path.join(directory, "echo.sock")
      const bound = Path.join(directory, "bound.sock")
      yield* Effect.callback<void>((resume) => {
        const server = Net.createServer().listen(bound, () => {
          Fs.linkSync(bound, path)
          server.close(() => resume(Effect.void))
        })
      })
      assert.isTrue(Fs.lstatSync(path).isSocket())
      const address = yield* serve({ path }, echoLive(yield* makeWaiting))
      const greeting = yield* call((echo) => echo.greet({ name: "x" })).pipe(Effect.provide(remote(address)))
      assert.strictEqual(greeting, "hello x")
      const file = Path.join(directory, "file")
      Fs.writeFileSync(file, "text")
      const error = yield* Effect.flip(serve({ path: file }, echoLive(yield* makeWaiting)))
      assert.strictEqual(error.reason, "AddressInUse")
      assert.strictEqual(Fs.readFileSync(file, "utf8"), "text")
    }))

  it.live("keeps the file of the server that replaced it", () =>
    Effect.gen(function*() {
      const path = Path.join(yield* temporary, "echo.sock")
      const scope = yield* Scope.make()
      yield* serve({ path }, echoLive(yield* makeWaiting)).pipe(Scope.provide(scope))
      Fs.rmSync(path)
      yield* serve({ path }, echoLive(yield* makeWaiting))
      yield* Scope.close(scope, Exit.void)
      const greeting = yield* call((echo) => echo.greet({ name: "x" })).pipe(Effect.provide(remote({ path })))
      assert.strictEqual(greeting, "hello x")
    }))
})

const bytesOf = ({ data }: Tensor.Tensor<"float32">) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
