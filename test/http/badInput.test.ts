import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Http from "node:http"
import { random as randomOf } from "../fixtures/random.ts"
import { type BadRequest, shapes } from "./shapes.ts"
import { serveVision } from "./surface.ts"

const requests = 12_000

interface Answered {
  readonly status: number
  readonly text: string
}

const send = (agent: Http.Agent, url: string, { body, headers, method, path }: BadRequest) =>
  Effect.callback<Answered | Error>((resume) => {
    const { hostname, port } = new URL(url)
    const request = Http.request({
      agent,
      hostname,
      port,
      method,
      path,
      headers: { ...headers, "content-length": body.length }
    })
    request.on("response", (response) => {
      let text = ""
      response.setEncoding("utf8")
      response.on("data", (chunk) => {
        text += chunk
      })
      response.on("end", () => resume(Effect.succeed({ status: response.statusCode ?? 0, text })))
      response.on("error", (error) => resume(Effect.succeed(error)))
    })
    request.on("error", (error) => resume(Effect.succeed(error)))
    request.end(body)
    return Effect.sync(() => request.destroy())
  })

/** What is wrong with an answer; nothing where a client that is wrong may get it. */
const complaint = (request: BadRequest, answer: Answered): string | undefined => {
  const { status, text } = answer
  if (status >= 500 && status !== 504) return `it was answered with ${status}: ${text.slice(0, 200)}`
  if (/\bat .*\.ts|node_modules|\/work\/|file:\/\//.test(text)) return `it tells of the inside: ${text.slice(0, 200)}`
  if (status < 400 || request.method === "HEAD" || text === "") return undefined
  const failure: unknown = JSON.parse(text)
  return typeof failure === "object" && failure !== null && "_tag" in failure && "error" in failure
    ? undefined
    : `it was answered with ${text.slice(0, 200)}`
}

describe("bad input", () => {
  it.live(
    `is never the fault of the server, whatever ${requests} requests are made of`,
    () =>
      Effect.gen(function*() {
        const { url } = yield* serveVision({ maxBodySize: "64 KiB", timeout: "5 seconds" })
        const agent = yield* Effect.acquireRelease(
          Effect.sync(() => new Http.Agent({ keepAlive: true, maxSockets: 8 })),
          (agent) => Effect.sync(() => agent.destroy())
        )
        const random = randomOf(20261121)
        const before = process.memoryUsage()
        const statuses = new Map<number, number>()
        yield* Effect.forEach(
          Array.from({ length: requests }, (_, index) => shapes[index % shapes.length]!),
          Effect.fnUntraced(function*(shape) {
            const request = shape.make(random)
            const seen = `${shape.name}: ${request.method} ${request.path.slice(0, 200)} ${
              JSON.stringify(request.headers).slice(0, 300)
            } ${JSON.stringify(new TextDecoder().decode(request.body.subarray(0, 400)))}`
            const answer = yield* Effect.timeoutOrElse(send(agent, url, request), {
              duration: "10 seconds",
              orElse: () => Effect.succeed(new Error("it was not answered"))
            })
            if (answer instanceof Error) return assert.fail(`${answer.message}: ${seen}`)
            statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
            const wrong = complaint(request, answer)
            if (wrong !== undefined) assert.fail(`${wrong}: ${seen}`)
          }),
          { concurrency: 8, discard: true }
        )
        const after = process.memoryUsage()
        assert.isBelow(after.rss - before.rss, 400 * 2 ** 20)
        // Otherwise the shapes would have missed what they are for.
        for (const status of [200, 400, 404, 405, 413, 415, 422, 429]) assert.isTrue(statuses.has(status), `${status}`)
        const alive = yield* send(agent, url, {
          method: "POST",
          path: "/test/Vision/greet",
          headers: { "content-type": "application/json" },
          body: new TextEncoder().encode("{\"name\":\"still here\"}")
        })
        assert.deepStrictEqual(alive, { status: 200, text: "\"hello still here\"" })
      }),
    60_000
  )
})
