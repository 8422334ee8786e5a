import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Attack from "../fixtures/hostile/attack.ts"
import { shapes } from "./shapes.ts"
import { postJson, serveVision } from "./surface.ts"

const requests = 6000

/** Every failure is one of this library. */
const complaint: Attack.Complaint = ({ method }, { status, text }) =>
  status < 400 || method === "HEAD" || text === "" || Attack.isFailure(text)
    ? undefined
    : `it was answered with ${text.slice(0, 200)}`

describe("bad input", () => {
  it.live(
    `is never the fault of the server, whatever ${requests} requests are made of`,
    () =>
      Effect.gen(function*() {
        const { url } = yield* serveVision({ maxBodySize: "64 KiB", timeout: "5 seconds" })
        const statuses = yield* Attack.attack({
          url,
          shapes,
          requests,
          seed: 20261121,
          complaint,
          growth: 400 * 2 ** 20
        })
        // Otherwise the shapes would have missed what they are for.
        for (const status of [200, 400, 404, 405, 413, 415, 422, 429]) assert.isTrue(statuses.has(status), `${status}`)
        const alive = yield* postJson(`${url}/test/Vision/greet`, { name: "still here" })
        assert.deepStrictEqual([alive.status, alive.text], [200, "\"hello still here\""])
      }),
    60_000
  )
})
