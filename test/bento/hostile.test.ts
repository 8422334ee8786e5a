import { assert, describe, it } from "@effect/vitest"
import { Bento } from "chorale"
import { Effect } from "effect"
import * as Attack from "../fixtures/hostile/attack.ts"
import { postJson, serveVision, Vision } from "../http/surface.ts"
import { shapes } from "./shapes.ts"

const requests = 1600

/** Clients of BentoML look for an `error`. */
const complaint: Attack.Complaint = ({ method }, { status, text }) =>
  status < 400 || method === "HEAD" || text === "" || Attack.isFailure(text)
    ? undefined
    : `it was answered with ${text.slice(0, 200)}`

describe("BentoML's routes", () => {
  it.live(`take ${requests} bad requests for what they are`, () =>
    Effect.gen(function*() {
      const { url } = yield* serveVision({ maxBodySize: "64 KiB" }, {}, Bento.http(Vision, { timeout: "5 seconds" }))
      const statuses = yield* Attack.attack({ url, shapes, requests, seed: 11, complaint, growth: 300 * 2 ** 20 })
      for (const status of [200, 400, 404, 413, 415, 422, 429]) assert.isTrue(statuses.has(status), `${status}`)
      const alive = yield* postJson(`${url}/greet`, { name: "still here" })
      assert.deepStrictEqual([alive.status, alive.text], [200, "hello still here"])
    }))
})
