/** A server of services with everything that the HTTP surface has to show, on a free port for the length of a scope. */
import { Deadline, Model, Serve, ServiceError, Tensor } from "chorale"
import { Context, Deferred, Duration, Effect, Layer, Option, Schema, Stream } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { Rpc } from "effect/rpc"
import { layerServer, type ServerOptions } from "../../src/node/HttpServer.ts"

export class Unreadable extends Schema.TaggedError<Unreadable>()("Unreadable", {
  reason: Schema.Literals(["empty", "damaged"])
}, { httpApiStatus: 422, description: "The picture cannot be read." }) {}

export class Unknown
  extends Schema.TaggedError<Unknown>()("Unknown", { name: Schema.String }, { httpApiStatus: 404 })
{}

const Vector = Tensor.schema("float32", ["n"])

export class Vision extends Model.Service<Vision>()("test/Vision", [
  Rpc.make("greet", {
    payload: Schema.Struct({ name: Schema.NonEmptyString }).annotate({
      description: "Greets somebody.",
      examples: [{ name: "world" }]
    }),
    success: Schema.String
  }),
  Rpc.make("form", {
    payload: {
      image: Schema.Uint8Array,
      pixels: Schema.optionalKey(Tensor.schema("uint8", ["height", "width", 3])),
      label: Schema.String,
      top: Schema.Int,
      tags: Schema.optionalKey(Schema.Array(Schema.String))
    },
    success: Schema.Struct({
      size: Schema.Int,
      label: Schema.String,
      top: Schema.Int,
      shape: Schema.optionalKey(Schema.Array(Schema.Int)),
      tags: Schema.Array(Schema.String)
    }),
    error: Schema.Union([Unreadable, Unknown])
  }),
  // NaN and the infinities are numbers here.
  // @effect-diagnostics-next-line schemaNumber:off
  Rpc.make("sum", { payload: { vector: Vector }, success: Schema.Number }),
  // @effect-diagnostics-next-line schemaNumber:off
  Rpc.make("scale", { payload: { vector: Vector, by: Schema.Number }, success: Vector }),
  Rpc.make("raw", { payload: Schema.Uint8Array, success: Schema.Uint8Array }),
  Rpc.make("nothing", { success: Schema.Void }),
  Rpc.make("fail", {
    payload: { reason: Schema.Literals(["empty", "damaged", "unknown"]) },
    error: Schema.Union([Unreadable, Unknown])
  }),
  Rpc.make("refuse", {
    payload: { reason: Schema.Literals(["Overloaded", "Unavailable", "ContractMismatch", "defect"]) }
  }),
  Rpc.make("wait", { success: Schema.Void }),
  Rpc.make("remaining", { success: Schema.Finite }),
  Rpc.make("trace", { success: Schema.String }),
  Rpc.make("count", { payload: { to: Schema.Int }, success: Schema.Int, error: Unreadable, stream: true }),
  Rpc.make("shed", { success: Schema.Int, error: Unreadable, stream: true }),
  Rpc.make("flood", { success: Schema.String, stream: true }),
  Rpc.make("listen", { payload: { audio: Model.streamOf(Vector) }, success: Schema.Int })
]) {}

/** When the handler of `wait` or `flood` started, and when it was interrupted. */
export interface Waiting {
  readonly started: Deferred.Deferred<void>
  readonly interrupted: Deferred.Deferred<void>
}

export const makeWaiting: Effect.Effect<Waiting> = Effect.all({
  started: Deferred.make<void>(),
  interrupted: Deferred.make<void>()
})

export const reasonOf = (reason: "Overloaded" | "Unavailable" | "ContractMismatch"): ServiceError.Reason => {
  switch (reason) {
    case "Overloaded":
      return new ServiceError.Overloaded({ retryAfter: Duration.millis(1500) })
    case "Unavailable":
      return new ServiceError.Unavailable({ detail: "gone" })
    case "ContractMismatch":
      return new ServiceError.ContractMismatch({ detail: "another one" })
  }
}

export const visionLive = (waiting: Waiting) =>
  Vision.toLayer({
    greet: ({ name }) => Effect.succeed(`hello ${name}`),
    form: ({ image, label, pixels, tags, top }) =>
      image.length === 0
        ? Effect.fail(new Unreadable({ reason: "empty" }))
        : Effect.succeed({
          size: image.length,
          label,
          top,
          tags: tags ?? [],
          ...pixels === undefined ? {} : { shape: pixels.shape }
        }),
    sum: ({ vector }) => Effect.succeed(vector.data.reduce((sum, value) => sum + value, 0)),
    scale: ({ by, vector }) => Effect.succeed(Tensor.make("float32", vector.shape, vector.data.map((x) => x * by))),
    raw: (bytes) => Effect.succeed(bytes),
    nothing: () => Effect.void,
    fail: ({ reason }) => Effect.fail(reason === "unknown" ? new Unknown({ name: "x" }) : new Unreadable({ reason })),
    refuse: ({ reason }) => reason === "defect" ? Effect.die(new Error("a bug in /secret/path")) : reasonOf(reason),
    wait: () =>
      Deferred.succeed(waiting.started, undefined).pipe(
        Effect.andThen(Effect.never),
        Effect.onInterrupt(() => Deferred.succeed(waiting.interrupted, undefined))
      ),
    remaining: () => Effect.map(Deadline.remaining, Option.match({ onNone: () => -1, onSome: Duration.toMillis })),
    trace: () => Effect.map(Effect.orDie(Effect.currentSpan), ({ traceId }) => traceId),
    count: ({ to }) => Stream.concat(Stream.range(1, to), Stream.fail(new Unreadable({ reason: "damaged" }))),
    shed: () => Stream.fail(reasonOf("Overloaded")),
    flood: () =>
      Stream.fromEffect(Deferred.succeed(waiting.started, undefined)).pipe(
        Stream.flatMap(() => Stream.forever(Stream.succeed("x".repeat(1024)))),
        Stream.ensuring(Deferred.succeed(waiting.interrupted, undefined))
      ),
    listen: ({ audio }) => Stream.runCount(audio).pipe(Effect.orDie)
  })

export interface Running {
  readonly url: string
  readonly waiting: Waiting
}

/** Serves `Vision`, with whatever other routes there are beside it. */
export const serveVision = Effect.fnUntraced(function*(
  options: Serve.HttpOptions = {},
  server: ServerOptions = {},
  others: Layer.Layer<never, never, HttpRouter.HttpRouter | Vision> = Layer.empty
) {
  const waiting = yield* makeWaiting
  const layer = HttpRouter.serve(Layer.mergeAll(Serve.http([Vision], options), others), {
    disableLogger: true,
    disableListenLog: true
  }).pipe(
    Layer.provide(visionLive(waiting)),
    Layer.provideMerge(layerServer({ port: 0, gracefulShutdownTimeout: "2 seconds", ...server }))
  )
  const url = HttpServer.formatAddress(Context.get(yield* Layer.build(layer), HttpServer.HttpServer).address)
  const running: Running = { url, waiting }
  return running
})

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

export const send = (url: string, init?: RequestInit): Effect.Effect<Answer> =>
  Effect.promise(async (signal) => {
    const response = await fetch(url, { ...init, signal })
    return { status: response.status, headers: response.headers, text: await response.text() }
  })

export const post = (
  url: string,
  body: NonNullable<RequestInit["body"]>,
  headers: Readonly<Record<string, string>> = { "content-type": "application/json" }
) => send(url, { method: "POST", headers, body })

export const postJson = (url: string, json: unknown, headers: Readonly<Record<string, string>> = {}) =>
  post(url, JSON.stringify(json), { "content-type": "application/json", ...headers })

/** The JSON of an answer. */
export const jsonOf = (answer: Answer) => JSON.parse(answer.text)
