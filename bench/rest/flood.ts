/** Requests at a rate that does not wait for answers, on many connections, and a watch of the health meanwhile. */
import { Effect } from "effect"
import { once } from "node:events"
import * as Net from "node:net"

/** What became of the requests of a flood. */
export interface Flooded {
  /** Requests per second that were answered with 200. */
  readonly goodput: number
  /** How many were answered with something else, by status. */
  readonly refused: Readonly<Record<string, number>>
  /** How many found no free connection. */
  readonly unsent: number
  /** The longest that `/livez` took, in milliseconds. */
  readonly health: number
}

export interface Flood {
  readonly run: (options: { readonly rate: number; readonly seconds: number }) => Effect.Effect<Flooded>
}

const every = 5

export const make = Effect.fnUntraced(function*(url: URL, json: unknown, connections: number) {
  const body = JSON.stringify(json)
  const request = Buffer.from(
    `POST ${url.pathname} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  )
  const open = Effect.acquireRelease(
    Effect.promise(async () => {
      const socket = Net.connect({ host: url.hostname, port: Number(url.port), noDelay: true })
      await once(socket, "connect")
      return socket
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )
  const sockets = yield* Effect.all(Array.from({ length: connections }, () => open), { concurrency: 16 })
  const probe = yield* open
  const flood: Flood = {
    run: ({ rate, seconds }) =>
      Effect.promise(async () => {
        const statuses = new Map<string, number>()
        const idle = [...sockets]
        let unsent = 0
        for (const socket of sockets) {
          socket.removeAllListeners("data").on("data", (chunk: Buffer) => {
            // An answer is small and comes at once.
            const status = chunk.toString("latin1", 9, 12)
            statuses.set(status, (statuses.get(status) ?? 0) + 1)
            idle.push(socket)
          })
        }
        const watch = watchHealth(probe)
        const start = performance.now()
        let sent = 0
        while (performance.now() - start < seconds * 1000) {
          for (const due = (performance.now() - start) * rate / 1000; sent < due; sent++) {
            const socket = idle.shift()
            if (socket === undefined) unsent++
            else socket.write(request)
          }
          await new Promise((resolve) => setTimeout(resolve, every))
        }
        const elapsed = (performance.now() - start) / 1000
        const answered = statuses.get("200") ?? 0
        while (idle.length < connections) await new Promise((resolve) => setTimeout(resolve, every))
        const { 200: _, ...refused } = Object.fromEntries(statuses)
        return { goodput: answered / elapsed, refused, unsent, health: watch.stop() }
      })
  }
  return flood
})

/** Asks for the health over and over; gives the longest that an answer took. */
const watchHealth = (socket: Net.Socket) => {
  let longest = 0
  let sentAt = performance.now()
  let timer: NodeJS.Timeout | undefined
  const ask = () => {
    sentAt = performance.now()
    socket.write("GET /livez HTTP/1.1\r\nhost: bench\r\n\r\n")
  }
  const onData = () => {
    longest = Math.max(longest, performance.now() - sentAt)
    timer = setTimeout(ask, 20)
  }
  socket.on("data", onData)
  ask()
  return {
    stop: () => {
      clearTimeout(timer)
      socket.off("data", onData)
      return longest
    }
  }
}
