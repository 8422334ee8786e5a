/** A client that costs little: the same request over and over on connections that are kept. */
import { Effect } from "effect"
import { once } from "node:events"
import * as Net from "node:net"

export interface Load {
  /** Sends the request once on every connection, so many times, and gives the requests per second. */
  readonly run: (times: number) => Effect.Effect<number>
}

/** Connects so often for the length of a scope. Every answer is as long as the first. */
export const make = Effect.fnUntraced(function*(url: URL, json: unknown, connections: number) {
  const body = JSON.stringify(json)
  const request = Buffer.from([
    `POST ${url.pathname} HTTP/1.1`,
    "host: bench",
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(body)}`,
    "",
    body
  ].join("\r\n"))
  const sockets = yield* Effect.acquireRelease(
    Effect.promise(() =>
      Promise.all(Array.from({ length: connections }, async () => {
        const socket = Net.connect({ host: url.hostname, port: Number(url.port), noDelay: true })
        await once(socket, "connect")
        return socket
      }))
    ),
    (sockets) => Effect.sync(() => sockets.forEach((socket) => socket.destroy()))
  )
  const length = yield* Effect.promise(() => lengthOfAnswer(sockets[0]!, request))
  const load: Load = {
    run: (times) =>
      Effect.promise(async () => {
        const stop = stayAwake()
        const start = performance.now()
        await Promise.all(sockets.map((socket) => repeat(socket, request, length, times)))
        stop()
        return connections * times / (performance.now() - start) * 1000
      })
  }
  return load
})

/**
 * Keeps this process from sleeping: a server that is slower than its client would otherwise wake it for every answer,
 * which on a virtual machine takes longer than the answer.
 */
const stayAwake = () => {
  let next = setImmediate(function turn() {
    next = setImmediate(turn)
  })
  return () => clearImmediate(next)
}

const repeat = (socket: Net.Socket, request: Buffer, length: number, times: number) =>
  new Promise<void>((resolve) => {
    let received = 0
    let sent = 1
    const onData = (chunk: Buffer) => {
      received += chunk.length
      if (received < length) return
      received = 0
      if (sent === times) {
        socket.off("data", onData)
        return resolve()
      }
      sent++
      socket.write(request)
    }
    socket.on("data", onData)
    socket.write(request)
  })

const lengthOfAnswer = (socket: Net.Socket, request: Buffer) =>
  new Promise<number>((resolve, reject) => {
    let received = ""
    const onData = (chunk: Buffer) => {
      received += chunk.toString("latin1")
      const end = received.indexOf("\r\n\r\n")
      const length = /content-length: (\d+)/i.exec(received)?.[1]
      if (end === -1 || length === undefined || received.length < end + 4 + Number(length)) return
      socket.off("data", onData)
      if (received.startsWith("HTTP/1.1 200")) resolve(received.length)
      else reject(new Error(received))
    }
    socket.on("data", onData)
    socket.write(request)
  })
