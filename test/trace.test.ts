import { assert, describe, it } from "@effect/vitest"
import { Model } from "chorale"
import { Socket } from "chorale/node"
import { Effect, Layer, Schema, Stream, Tracer } from "effect"
import { Rpc } from "effect/rpc"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"

class Inner extends Model.Service<Inner>()("test/Inner", [
  Rpc.make("twice", { payload: { of: Schema.Int }, success: Schema.Int }),
  Rpc.make("count", { payload: { to: Schema.Int }, success: Schema.Int, stream: true })
]) {}

class Outer extends Model.Service<Outer>()("test/Outer", [
  Rpc.make("fourTimes", { payload: { of: Schema.Int }, success: Schema.Int })
]) {}

const InnerLive = Inner.toLayer({
  twice: ({ of }) => Effect.succeed(2 * of),
  count: ({ to }) => Stream.range(1, to)
})

const OuterLive = Outer.toLayer(Effect.map(Inner, (inner) => ({
  fourTimes: ({ of }: { readonly of: number }) =>
    Effect.flatMap(inner.twice({ of }), (twice) => inner.twice({ of: twice }))
})))

const recorder = () => {
  const spans: Array<Tracer.NativeSpan> = []
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  return { spans, tracer }
}

const socketPath = Effect.acquireRelease(
  Effect.sync(() => Path.join(Fs.mkdtempSync(Path.join(Os.tmpdir(), "chorale-")), "s")),
  (path) => Effect.sync(() => Fs.rmSync(Path.dirname(path), { recursive: true }))
)

/** Both services behind sockets of their own: two hops. */
const remotes = Effect.gen(function*() {
  const inner = { path: yield* socketPath }
  const outer = { path: yield* socketPath }
  yield* Layer.build(Layer.provide(Socket.layerServer([Inner], inner), InnerLive))
  yield* Layer.build(
    Socket.layerServer([Outer], outer).pipe(
      Layer.provide(OuterLive),
      Layer.provide(Socket.layerClient(Inner, inner))
    )
  )
  return yield* Layer.build(Layer.merge(Socket.layerClient(Outer, outer), Socket.layerClient(Inner, inner)))
})

const parentId = (span: Tracer.Span) => span.parent._tag === "Some" ? span.parent.value.spanId : undefined

describe("the trace of a call", () => {
  it.live("goes through two hops, each with the span of its caller above that of its handler", () =>
    Effect.gen(function*() {
      const { spans, tracer } = recorder()
      const context = yield* remotes.pipe(Effect.withTracer(tracer))
      const result = yield* Outer.use((outer) => outer.fourTimes({ of: 3 })).pipe(
        Effect.provideContext(context),
        Effect.withSpan("request"),
        Effect.withTracer(tracer)
      )
      assert.strictEqual(result, 12)
      const request = spans.find(({ name }) => name === "request")
      const [sent, handled] = spans.filter(({ name }) => name === "test/Outer.fourTimes")
      const inner = spans.filter(({ name }) => name === "test/Inner.twice")
      assert.isDefined(request)
      assert.isDefined(sent)
      assert.isDefined(handled)
      assert.strictEqual(sent.kind, "client")
      assert.strictEqual(parentId(sent), request.spanId)
      assert.strictEqual(parentId(handled), sent.spanId)
      assert.strictEqual(inner.length, 4)
      assert.deepStrictEqual(inner.filter(({ kind }) => kind === "client").map(parentId), [
        handled.spanId,
        handled.spanId
      ])
      assert.isTrue(spans.every(({ traceId }) => traceId === request.traceId))
      assert.isTrue(spans.every(({ status }) => status._tag === "Ended"))
    }))

  it.live("says of a call how long its parts took", () =>
    Effect.gen(function*() {
      const { spans, tracer } = recorder()
      const context = yield* remotes
      yield* Inner.use((inner) => inner.twice({ of: 3 })).pipe(
        Effect.provideContext(context),
        Effect.withTracer(tracer)
      )
      const sent = spans.find(({ kind }) => kind === "client")
      assert.isDefined(sent)
      for (const part of ["encode", "transport", "execute", "decode"]) {
        const millis = sent.attributes.get(`chorale.${part}_ms`)
        assert.isTrue(typeof millis === "number" && millis >= 0 && millis < 10_000, `${part} took ${millis}`)
      }
    }))

  it.live("holds for a stream", () =>
    Effect.gen(function*() {
      const { spans, tracer } = recorder()
      const context = yield* remotes.pipe(Effect.withTracer(tracer))
      yield* Inner.use((inner) => Stream.runDrain(inner.count({ to: 3 }))).pipe(
        Effect.provideContext(context),
        Effect.withTracer(tracer)
      )
      const [sent, handled] = spans.filter(({ name }) => name === "test/Inner.count")
      assert.isDefined(sent)
      assert.strictEqual(sent.kind, "client")
      assert.isDefined(handled)
      assert.strictEqual(parentId(handled), sent.spanId)
      assert.strictEqual(handled.traceId, sent.traceId)
    }))
})
