/**
 * A way to a server that damages what goes through it.
 *
 * Where `Faults` acts on calls, this acts on the bytes of connections, for a client and a server that notice nothing of
 * it. It needs Node, so it has an entry of its own.
 *
 * @since 0.2.0
 */
import { Duration, Effect, Random, type Scope } from "effect"
import * as Net from "node:net"

/**
 * What happens to the bytes that arrive from now on, in both directions unless `direction` is given.
 *
 * @category models
 * @since 0.2.0
 */
export interface ByteFaults {
  /** Bytes are swallowed: both sides wait. */
  readonly drop?: boolean
  /** Bytes go on later, in order. */
  readonly delay?: Duration.Input
  /** The probability that one bit of what arrives at once, up to 64 KiB, is another. */
  readonly corrupt?: number
  /** Whoever connects is hung up on at once. */
  readonly refuse?: boolean
  /** Only what the client sends, or only what the server does. */
  readonly direction?: "fromClient" | "fromServer"
}

/**
 * A proxy that listens.
 *
 * @category models
 * @since 0.2.0
 */
export interface FaultyProxy {
  /** Where clients connect instead. */
  readonly address: { readonly host: string; readonly port: number }
  /** Changes what happens to bytes; those that wait already are not affected. */
  readonly set: (faults: ByteFaults) => Effect.Effect<void>
  /** Breaks all connections that there are. */
  readonly cut: Effect.Effect<void>
  /** How many bits were changed since it listens. */
  readonly corrupted: Effect.Effect<number>
}

/**
 * Listens on a free TCP port of 127.0.0.1 and passes everything on to a server, until the scope closes.
 *
 * TCP has a checksum and a frame has none of its own, so a bit that is changed here stays changed: damage to the
 * structure of a message is noticed, and its connection is closed; damage to the elements of a tensor, or to a letter of
 * a text, is not. A link that can do that needs TLS.
 *
 * **Example** (A server behind a bad link)
 *
 * ```ts
 * import { Model } from "chorale"
 * import { Socket } from "chorale/node"
 * import { FaultyProxy } from "chorale/testing/node"
 * import { Effect, Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 *
 * class Reader extends Model.Service<Reader>()("Reader", [Rpc.make("read", { success: Schema.String })]) {}
 *
 * export const program = Effect.gen(function*() {
 *   const proxy = yield* FaultyProxy.make({ to: { port: 9000 }, seed: 7 })
 *   yield* proxy.set({ corrupt: 0.01 })
 *   return yield* Effect.provide(Reader.use((reader) => reader.read()), Socket.layerClient(Reader, proxy.address))
 * })
 * ```
 *
 * @category constructors
 * @since 0.2.0
 */
export const make = Effect.fnUntraced(function*(options: {
  readonly to: { readonly path: string } | { readonly host?: string; readonly port: number }
  /** The same seed changes the same bits of the same bytes: 0. */
  readonly seed?: string | number
}): Effect.fn.Return<FaultyProxy, never, Scope.Scope> {
  const { nextDoubleUnsafe } = yield* Random.withSeed(Random.Random, options.seed ?? 0)
  const target = "path" in options.to ? options.to : { host: "127.0.0.1", ...options.to }
  const sockets = new Set<Net.Socket>()
  let faults: ByteFaults = {}
  let corrupted = 0

  const damage = (chunk: Buffer): Buffer => {
    if (nextDoubleUnsafe() >= (faults.corrupt ?? 0)) return chunk
    const bit = Math.floor(nextDoubleUnsafe() * chunk.byteLength * 8)
    const copy = Buffer.from(chunk)
    copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    corrupted++
    return copy
  }

  const pass = (from: Net.Socket, to: Net.Socket, direction: NonNullable<ByteFaults["direction"]>) => {
    let last = 0
    from.on("data", (chunk) => {
      if (faults.direction !== undefined && faults.direction !== direction) return forward(from, to, chunk)
      if (faults.drop === true) return
      const delay = faults.delay === undefined ? 0 : Duration.toMillis(Duration.fromInputUnsafe(faults.delay))
      const at = Math.max(last, performance.now() + delay)
      const bytes = damage(chunk)
      if (delay === 0 && last <= performance.now()) return forward(from, to, bytes)
      last = at
      setTimeout(() => forward(from, to, bytes), at - performance.now())
    })
  }

  const server = Net.createServer((inner) => {
    if (faults.refuse === true) {
      inner.destroy()
      return
    }
    const outer = Net.connect(target)
    for (const [socket, other] of [[inner, outer], [outer, inner]] as const) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on("error", () => undefined)
      socket.on("close", () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
    pass(inner, outer, "fromClient")
    pass(outer, inner, "fromServer")
  })

  const cut = Effect.sync(() => {
    for (const socket of sockets) socket.destroy()
  })
  const port = yield* Effect.acquireRelease(listen(server), () => Effect.andThen(cut, close(server)))
  return {
    address: { host: "127.0.0.1", port },
    set: (next) =>
      Effect.sync(() => {
        faults = next
      }),
    cut,
    corrupted: Effect.sync(() => corrupted)
  }
})

const forward = (from: Net.Socket, to: Net.Socket, bytes: Buffer): void => {
  if (to.destroyed || to.write(bytes)) return
  from.pause()
  to.once("drain", () => from.resume())
}

const listen = (server: Net.Server): Effect.Effect<number> =>
  Effect.callback((resume) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0))
    })
  })

const close = (server: Net.Server): Effect.Effect<void> =>
  Effect.callback((resume) => {
    server.close(() => resume(Effect.void))
  })
