/** Listening on a port or a path, and what that leaves in the file system. */
import { Data, Effect, type Scope } from "effect"
import { randomBytes } from "node:crypto"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Path from "node:path"

/** A system call that failed. */
export class SystemError extends Data.TaggedError("SystemError")<{ readonly cause: NodeJS.ErrnoException }> {}

/** Listens until the scope closes. */
export const listen = (
  server: Net.Server,
  address: Net.ListenOptions
): Effect.Effect<Net.AddressInfo | string, SystemError, Scope.Scope> =>
  address.path === undefined ? bind(server, address) : listenAt(server, address.path)

const bind = (server: Net.Server, options: Net.ListenOptions) => {
  const sockets = new Set<Net.Socket>()
  server.on("connection", (socket) => {
    sockets.add(socket)
    socket.once("close", () => sockets.delete(socket))
  })
  return Effect.acquireRelease(
    Effect.callback<Net.AddressInfo | string, SystemError>((resume) => {
      server.once("error", (cause) => resume(Effect.fail(new SystemError({ cause }))))
      server.listen(options, () => {
        server.removeAllListeners("error")
        // What fails from here on is accepting one connection, which its client notices.
        server.on("error", () => undefined)
        resume(Effect.succeed(server.address() ?? ""))
      })
    }),
    () => closeServer(server, sockets)
  )
}

/** Waits a second for what is being written to clients, and hangs up on those that do not take it. */
const closeServer = (server: Net.Server, sockets: ReadonlySet<Net.Socket>) =>
  Effect.callback<void>((resume) => {
    const timer = setTimeout(() => {
      for (const socket of sockets) socket.destroy()
    }, 1000)
    server.close(() => {
      clearTimeout(timer)
      resume(Effect.void)
    })
  })

/**
 * Binds in a new directory that only this user can enter, and gives the socket its path when it is ready: so nobody
 * else can connect at any moment, and a server that replaces this one keeps its own file when this one ends.
 */
const listenAt = Effect.fnUntraced(function*(server: Net.Server, path: string) {
  yield* attempt(() => Fs.mkdirSync(Path.dirname(path), { recursive: true, mode: 0o700 }))
  const directory = Path.join(Path.dirname(path), `.${randomBytes(4).toString("hex")}`)
  const bound = Path.join(directory, "s")
  yield* removeStale(path)
  yield* Effect.acquireUseRelease(
    attempt(() => Fs.mkdirSync(directory, { mode: 0o700 })),
    Effect.fnUntraced(function*() {
      yield* bind(server, { path: bound })
      yield* Effect.acquireRelease(
        attempt(() => {
          Fs.chmodSync(bound, 0o600)
          Fs.linkSync(bound, path)
          return Fs.lstatSync(path).ino
        }),
        (inode) => Effect.sync(() => removeOwn(path, inode))
      )
    }),
    () => Effect.sync(() => Fs.rmSync(directory, { recursive: true, force: true }))
  )
  return path
})

const attempt = <A>(run: () => A): Effect.Effect<A, SystemError> =>
  Effect.try({ try: run, catch: (cause) => new SystemError({ cause: cause as NodeJS.ErrnoException }) })

const removeOwn = (path: string, inode: number) => {
  if (Fs.lstatSync(path, { throwIfNoEntry: false })?.ino === inode) Fs.rmSync(path, { force: true })
}

/** Removes the socket file of a server that is gone. */
const removeStale = Effect.fnUntraced(function*(path: string) {
  const stats = yield* attempt(() => Fs.lstatSync(path, { throwIfNoEntry: false }))
  if (stats?.isSocket() && (yield* isRefused(path))) yield* attempt(() => removeOwn(path, stats.ino))
})

const isRefused = (path: string) =>
  Effect.callback<boolean>((resume) => {
    const socket = Net.connect({ path })
    socket.on("connect", () => {
      socket.destroy()
      resume(Effect.succeed(false))
    })
    socket.on("error", (error: NodeJS.ErrnoException) => resume(Effect.succeed(error.code === "ECONNREFUSED")))
    return Effect.sync(() => socket.destroy())
  })
