import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as Deployment from "../../src/Deployment.ts"

const spansOf = (text: string) => Result.getOrThrow(Deployment.parseSpanFile(text))

const complaint = (text: string) => {
  const parsed = Deployment.parseSpanFile(text, { file: "trace.json" })
  return Result.isFailure(parsed) ? parsed.failure.message : undefined
}

const exported = (...spans: ReadonlyArray<object>) =>
  JSON.stringify({ resourceSpans: [{ resource: { attributes: [] }, scopeSpans: [{ scope: { name: "x" }, spans }] }] })

const request = {
  traceId: "t",
  spanId: "1",
  parentSpanId: "",
  name: "POST",
  kind: 2,
  startTimeUnixNano: "1700000000000000000",
  endTimeUnixNano: "1700000000250000000"
}

describe("a file of spans", () => {
  it("has what was written to it, one span in a line", () => {
    const spans: ReadonlyArray<Deployment.RecordedSpan> = [
      { id: "1", name: "POST", start: 0.5, end: 2.25, attributes: { "http.route": "/a", found: true } },
      { id: "2", parent: "1", name: "a/B.c", start: 1, end: 2, attributes: { "chorale.queue_ms": 0.25 } }
    ]
    const text = Deployment.toSpanFile(spans)
    assert.deepStrictEqual(spansOf(text), spans)
    assert.strictEqual(text.trim().split("\n").length, 4)
  })

  it("leaves out attributes that JSON does not have", () => {
    const attributes = { number: 1, big: 1n, not: Number.NaN, list: [1], nothing: undefined }
    const [span] = spansOf(Deployment.toSpanFile([{ id: "1", name: "a", start: 0, end: 1, attributes }]))
    assert.deepStrictEqual(span?.attributes, { number: 1 })
  })

  it("may be a trace of OpenTelemetry", () => {
    const call = {
      ...request,
      spanId: "2",
      parentSpanId: "1",
      name: "a/B.c",
      attributes: [
        { key: "chorale.queue_ms", value: { doubleValue: 1.5 } },
        { key: "count", value: { intValue: "7" } },
        { key: "empty" }
      ]
    }
    assert.deepStrictEqual(spansOf(exported(request, call)), [
      { id: "t/1", name: "POST", start: 1_700_000_000_000, end: 1_700_000_000_250, attributes: {} },
      {
        id: "t/2",
        parent: "t/1",
        name: "a/B.c",
        start: 1_700_000_000_000,
        end: 1_700_000_000_250,
        attributes: { "chorale.queue_ms": 1.5, count: 7, empty: undefined }
      }
    ])
  })

  it("may have an export in each line, a span twice, and one that has not ended", () => {
    const open = { ...request, spanId: "3", endTimeUnixNano: "0" }
    const text = `${exported(request)}\n${exported(request, open)}\n\n${exported({ ...request, traceId: "u" })}\n`
    assert.deepStrictEqual(spansOf(text).map(({ id }) => id), ["t/1", "u/1"])
  })

  it.each<readonly [says: string, text: string]>([
    ["trace.json has no spans in it", ""],
    ["trace.json is no JSON: Expected property name or '}'", "{"],
    ["trace.json is no JSON: Unexpected token 'u', \"units: {} \" is not valid JSON", "units: {}\n"],
    ["trace.json is no JSON: line 2", `${exported(request)}\n{`],
    ["trace.json has no spans: expected a file of chorale bench --spans, or a trace", "{\"name\":\"x\"}"],
    ["trace.json has no spans: expected a file of chorale bench --spans, or a trace", "[1]"],
    ["trace.json has no spans in it", exported()],
    ["trace.json has spans that cannot be read: Missing key at [\"spans\"]", "{\"format\":\"chorale-spans\"}"],
    ["trace.json has spans that cannot be read: Expected \"chorale-spans\"", "{\"format\":\"other\",\"spans\":[]}"],
    ["trace.json has spans that cannot be read: Missing key at [\"resourceSpans\"]", exported({ name: "x" })]
  ])("is refused in one line: %s", (says, text) => {
    const said = complaint(text) ?? ""
    assert.include(said, says)
    assert.notInclude(said, "\n")
  })
})
