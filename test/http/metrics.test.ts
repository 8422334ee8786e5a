import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Metric } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import parse from "parse-prometheus-text-format"
import { postJson, send, serveVision } from "./surface.ts"

const read = Effect.fnUntraced(function*(url: string) {
  const { headers, status, text } = yield* send(`${url}/metrics`)
  assert.strictEqual(status, 200)
  assert.strictEqual(headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8")
  const families = parse(text)
  const family = (name: string) => families.find((family) => family.name === name)
  const find = (name: string, labels: Readonly<Record<string, string>>) =>
    family(name)?.metrics.find((series) =>
      Object.entries(labels).every(([key, value]) => series.labels?.[key] === value)
    )
  return { text, family, find }
})

/** Metrics of this test and no other. */
const apart = <A, E, R>(test: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => Effect.provideService(test, Metric.MetricRegistry, new Map()))

describe("GET /metrics", () => {
  it.live("counts requests by route and status, and measures them in fifteen buckets of seconds", () =>
    Effect.gen(function*() {
      const other = HttpRouter.add("GET", "/other/:id", HttpServerResponse.text("other"))
      const { url } = yield* serveVision({}, {}, other)
      yield* postJson(`${url}/test/Vision/greet`, { name: "x" })
      yield* postJson(`${url}/test/Vision/greet`, { name: "y" })
      yield* postJson(`${url}/test/Vision/greet`, { name: 1 })
      yield* postJson(`${url}/test/Vision/count`, { to: 2 })
      yield* send(`${url}/other/17`)
      yield* send(`${url}/nowhere/18`)
      const { family, find, text } = yield* read(url)
      const route = "/test/Vision/greet"
      assert.strictEqual(family("chorale_request_total")?.type, "COUNTER")
      assert.strictEqual(find("chorale_request_total", { route, status: "200" })?.value, "2")
      assert.strictEqual(find("chorale_request_total", { route, status: "400" })?.value, "1")
      assert.strictEqual(find("chorale_request_total", { route: "/test/Vision/count", status: "200" })?.value, "1")
      assert.strictEqual(find("chorale_request_total", { route: "/other/:id", status: "200" })?.value, "1")
      assert.strictEqual(find("chorale_request_total", { route: "other", status: "404" })?.value, "1")
      const buckets = Array.from(
        text.matchAll(/^chorale_request_duration_seconds_bucket\{([^}]*)le="([^"]+)"\} (\d+)$/gm),
        ([, labels = "", bound, count]) => ({ labels, bound, count })
      ).filter(({ labels }) => labels.includes(`"${route}"`) && labels.includes("\"200\""))
      assert.deepStrictEqual(
        buckets.map(({ bound }) => Number(bound)),
        [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 180, NaN]
      )
      assert.strictEqual(buckets.at(-1)?.count, "2")
    }).pipe(apart))

  it.live("shows what is in progress, what was refused and what was given up", () =>
    Effect.gen(function*() {
      const { url, waiting } = yield* serveVision()
      const inProgress = Effect.map(read(url), ({ find }) =>
        find("chorale_request_in_progress", { route: "/test/Vision/wait" })?.value)
      yield* Effect.raceFirst(
        postJson(`${url}/test/Vision/wait`, {}),
        Effect.andThen(
          Deferred.await(waiting.started),
          Effect.map(inProgress, (value) =>
            assert.strictEqual(value, "1"))
        )
      )
      yield* Deferred.await(waiting.interrupted)
      yield* Effect.repeat(inProgress, { until: (value) => value === "0", times: 1000 })
      yield* postJson(`${url}/test/Vision/wait`, {}, { "chorale-deadline": "20" })
      yield* postJson(`${url}/test/Vision/refuse`, { reason: "Overloaded" })
      yield* postJson(`${url}/test/Vision/fail`, { reason: "empty" })
      const { family, find, text } = yield* read(url)
      assert.strictEqual(yield* inProgress, "0")
      assert.strictEqual(find("chorale_cancelled_total", { cause: "client" })?.value, "1")
      assert.strictEqual(find("chorale_cancelled_total", { cause: "deadline" })?.value, "1")
      assert.deepStrictEqual(
        Object.fromEntries(
          family("chorale_rejected_total")?.metrics.map(({ labels, value }) => [labels?.["reason"], value]) ?? []
        ),
        { DeadlineExceeded: "1", Overloaded: "1" }
      )
      assert.match(text, /^chorale_call_duration_seconds_count\{[^}]*callee="test\/Vision",method="refuse"/m)
      assert.isDefined(find("chorale_calls_in_flight", { callee: "test/Vision", method: "wait" }))
    }).pipe(apart))

  it.live("tells how much time those requests had whose callers said so", () =>
    Effect.gen(function*() {
      const { url } = yield* serveVision()
      for (const headers of [{}, { "chorale-deadline": "2000" }, { "x-envoy-expected-rq-timeout-ms": "500" }]) {
        yield* postJson(`${url}/test/Vision/greet`, { name: "x" }, headers)
      }
      const { text } = yield* read(url)
      assert.match(text, /^chorale_deadline_remaining_seconds_count(\{\})? 2$/m)
      assert.match(text, /^chorale_deadline_remaining_seconds_sum(\{\})? 2.5$/m)
    }).pipe(apart))

  it.live("counts a stream that its client broke off as given up, and as in progress until then", () =>
    Effect.gen(function*() {
      const { url, waiting } = yield* serveVision()
      const flood = Effect.map(read(url), ({ find }) => ({
        running: find("chorale_request_in_progress", { route: "/test/Vision/flood" })?.value,
        cancelled: find("chorale_cancelled_total", { cause: "client" })?.value
      }))
      yield* Effect.raceFirst(
        postJson(`${url}/test/Vision/flood`, {}),
        Effect.andThen(
          Deferred.await(waiting.started),
          Effect.map(flood, ({ running }) => assert.strictEqual(running, "1"))
        )
      )
      yield* Deferred.await(waiting.interrupted)
      const after = yield* Effect.repeat(flood, { until: ({ running }) => running === "0", times: 1000 })
      assert.strictEqual(after.cancelled, "1")
    }).pipe(apart))

  it.live("is not there where the server does without", () =>
    Effect.gen(function*() {
      const { url } = yield* serveVision({ metrics: false })
      yield* postJson(`${url}/test/Vision/greet`, { name: "x" })
      assert.strictEqual((yield* send(`${url}/metrics`)).status, 404)
    }))
})
