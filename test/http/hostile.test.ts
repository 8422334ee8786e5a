import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Frames from "../../src/internal/frames.ts"
import * as Attack from "../fixtures/hostile/attack.ts"
import * as Raw from "../fixtures/hostile/raw.ts"
import { random } from "../fixtures/random.ts"
import { shapes } from "./callShapes.ts"
import { postJson, serveVision } from "./surface.ts"

const requests = 2000

/** What is answered to a call is frames, of which the last says how it ended; everything else is a failure in JSON. */
const complaint: Attack.Complaint = ({ method }, { body, headers, status, text }) => {
  if (headers["content-type"] === "application/vnd.chorale.frames") {
    const messages = Frames.makeDecoder(2 ** 20)(new Uint8Array(body))
    const last = messages.at(-1)
    return typeof last === "object" && last !== null && "_tag" in last && last._tag === "Exit"
      ? undefined
      : `it was answered with frames that have no end: ${JSON.stringify(messages).slice(0, 200)}`
  }
  return status < 400 || method === "HEAD" || text === "" || Attack.isFailure(text)
    ? undefined
    : `it was answered with ${text.slice(0, 200)}`
}

describe("the route of calls, and the pages of a server", () => {
  it.live(`take ${requests} bad requests for what they are`, () =>
    Effect.gen(function*() {
      const { url } = yield* serveVision({ maxBodySize: "64 KiB", timeout: "5 seconds" })
      const statuses = yield* Attack.attack({ url, shapes, requests, seed: 4, complaint, growth: 300 * 2 ** 20 })
      for (const status of [200, 400, 404, 405, 413, 415]) assert.isTrue(statuses.has(status), `${status}`)
      const alive = yield* postJson(`${url}/test/Vision/greet`, { name: "still here" })
      assert.deepStrictEqual([alive.status, alive.text], [200, "\"hello still here\""])
    }))
})

const paths = ["/test/Vision/greet", "/test/Vision/raw", "/rpc", "/livez", "/openapi.json", "/nowhere"]

describe("a connection that speaks no honest HTTP", () => {
  it.live("is answered with what is wrong or closed, and not left open", () =>
    Effect.gen(function*() {
      const { url } = yield* serveVision({ maxBodySize: "64 KiB", timeout: "5 seconds" })
      const next = random(5)
      const statuses = new Set<number>()
      const attempts = Array.from({ length: 560 }, (_, index) => Raw.shapes[index % Raw.shapes.length]!)
      yield* Effect.forEach(
        attempts,
        Effect.fnUntraced(function*({ make, name }) {
          const bytes = make(next, paths[Math.floor(next() * paths.length)]!)
          const seen = `${name}: ${JSON.stringify(bytes.slice(0, 300))}`
          const answers = yield* Effect.timeoutOrElse(Raw.send(url, bytes), {
            duration: "10 seconds",
            orElse: () => Effect.sync(() => assert.fail(`it was left open: ${seen}`))
          })
          for (const status of answers) {
            statuses.add(status)
            assert.isBelow(status, 500, seen)
          }
        }),
        { concurrency: 8, discard: true }
      )
      for (const status of [200, 400, 404, 417, 431]) assert.isTrue(statuses.has(status), `${status}`)
      assert.strictEqual((yield* postJson(`${url}/test/Vision/greet`, { name: "x" })).status, 200)
    }))
})
