/** Services of tensors, and a server of them for the length of a scope. */
import { Deadline, Model, OpenInference, ServiceError, Tensor } from "chorale"
import { Context, Deferred, Duration, Effect, Layer, Option, Schema, Stream } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { Rpc } from "effect/rpc"
import { layerServer } from "../../src/node/HttpServer.ts"

export class Blurred extends Schema.TaggedError<Blurred>()("Blurred", { by: Schema.Finite }, { httpApiStatus: 422 }) {
  override get message(): string {
    return `blurred by ${this.by}`
  }
}

export class Odd extends Schema.TaggedError<Odd>()("Odd", {}) {}

const Vector = Tensor.schema("float32", ["n"])

const every = {
  float32: Tensor.schema("float32", ["batch", 2]),
  float64: Tensor.schema("float64", ["batch", 2]),
  float16: Tensor.schema("float16", ["batch", 2]),
  int8: Tensor.schema("int8", ["batch", 2]),
  uint8: Tensor.schema("uint8", ["batch", 2]),
  int16: Tensor.schema("int16", ["batch", 2]),
  uint16: Tensor.schema("uint16", ["batch", 2]),
  int32: Tensor.schema("int32", ["batch", 2]),
  uint32: Tensor.schema("uint32", ["batch", 2]),
  int64: Tensor.schema("int64", ["batch", 2]),
  uint64: Tensor.schema("uint64", ["batch", 2]),
  bool: Tensor.schema("bool", ["batch", 2])
}

/** Gives every tensor back, in both forms that a payload of tensors has. */
export class Echo extends Model.Service<Echo>()("test/Echo", [
  Rpc.make("whole", { payload: Vector, success: Vector }),
  Rpc.make("integers", {
    payload: { int64: Tensor.schema("int64", ["n"]), uint64: Tensor.schema("uint64", ["n"]) },
    success: Schema.Struct({ int64: Tensor.schema("int64", ["n"]), uint64: Tensor.schema("uint64", ["n"]) })
  }),
  Rpc.make("numbers", {
    payload: { float32: every.float32, bool: every.bool },
    success: Schema.Struct({ float32: every.float32, bool: every.bool })
  }),
  Rpc.make("every", { payload: every, success: Schema.Struct(every) }),
  Rpc.make("optional", {
    payload: { first: Vector, second: Schema.optionalKey(Vector) },
    success: Schema.Struct({ first: Vector, second: Schema.optionalKey(Vector) })
  }),
  Rpc.make("image", {
    payload: { pixels: Tensor.schema("uint8", ["height", 4, 3]) },
    success: Tensor.schema("uint8", [])
  })
]) {}

/** Of its methods, the last one alone is a model. */
export class Mixed extends Model.Service<Mixed>()("test/Mixed", [
  Rpc.make("text", { payload: { text: Schema.String }, success: Vector }),
  Rpc.make("items", { payload: { vector: Vector }, success: Vector, stream: true }),
  Rpc.make("listen", { payload: { audio: Model.streamOf(Vector) }, success: Vector }),
  Rpc.make("nothing", { payload: { vector: Vector } }),
  Rpc.make("tensor", { payload: { vector: Vector }, success: Vector })
]) {}

/** What can become of a call. */
export class Fate extends Model.Service<Fate>()("test/Fate", [
  Rpc.make("end", {
    payload: { how: Tensor.schema("int32", [1]) },
    success: Vector,
    error: Schema.Union([Blurred, Odd])
  })
]) {}

/** What a request of `Fate` asks for, by the number that it sends. */
export const fates = {
  blurred: 0,
  odd: 1,
  overloaded: 2,
  unavailable: 3,
  late: 4,
  mismatch: 5,
  defect: 6,
  wait: 7,
  remaining: 8,
  nan: 9,
  refused: 10
} as const

/** What two calls that need each other do: each answers when the other one has come. */
export class Pair extends Model.Service<Pair>()("test/Pair", [
  Rpc.make("meet", { payload: { count: Tensor.schema("int32", [1]) }, success: Vector })
]) {}

export interface Waiting {
  readonly started: Deferred.Deferred<void>
  readonly interrupted: Deferred.Deferred<void>
}

export const makeWaiting: Effect.Effect<Waiting> = Effect.all({
  started: Deferred.make<void>(),
  interrupted: Deferred.make<void>()
})

const unused = Effect.die("not called")

export const echoLive = Echo.toLayer({
  whole: Effect.succeed,
  integers: Effect.succeed,
  numbers: Effect.succeed,
  every: Effect.succeed,
  optional: Effect.succeed,
  image: ({ pixels }) => Effect.succeed(Tensor.make("uint8", [], Uint8Array.of(pixels.shape[0])))
})

export const mixedLive = Mixed.toLayer({
  text: () => unused,
  items: () => Stream.fromEffect(unused),
  listen: () => unused,
  nothing: () => unused,
  tensor: ({ vector }) => Effect.succeed(vector)
})

const vector = (...elements: ReadonlyArray<number>) =>
  Tensor.make("float32", [elements.length], Float32Array.from(elements))

const endLive = (waiting: Waiting, how: number) => {
  switch (how) {
    case fates.blurred:
      return Effect.fail(new Blurred({ by: 2 }))
    case fates.odd:
      return Effect.fail(new Odd())
    case fates.overloaded:
      return Effect.fail(new ServiceError.Overloaded({ retryAfter: Duration.millis(1500) }))
    case fates.unavailable:
      return Effect.fail(new ServiceError.Unavailable({ detail: "gone" }))
    case fates.late:
      return Effect.fail(new ServiceError.DeadlineExceeded({ budget: Duration.seconds(1) }))
    case fates.mismatch:
      return Effect.fail(new ServiceError.ContractMismatch({ detail: "another one" }))
    case fates.refused:
      return Effect.fail(new ServiceError.InvalidPayload({ issue: "too dark" }))
    case fates.defect:
      return Effect.die(new Error("a bug in /secret/path"))
    case fates.wait:
      return Deferred.succeed(waiting.started, undefined).pipe(
        Effect.andThen(Effect.never),
        Effect.onInterrupt(() => Deferred.succeed(waiting.interrupted, undefined))
      )
    case fates.remaining:
      return Effect.map(
        Deadline.remaining,
        (left) => vector(Option.match(left, { onNone: () => -1, onSome: Duration.toMillis }))
      )
    default:
      return Effect.succeed(vector(NaN, Infinity, -Infinity, -0))
  }
}

export const fateLive = (waiting: Waiting) => Fate.toLayer({ end: ({ how }) => endLive(waiting, how.data[0] ?? 0) })

/** Answers when so many calls are there. */
export const pairLive = Pair.toLayer(Effect.gen(function*() {
  const all = yield* Deferred.make<void>()
  let here = 0
  return {
    meet: ({ count }) =>
      Effect.suspend(() => {
        const [expected = 0] = count.data
        return ++here === expected ? Deferred.succeed(all, undefined) : Effect.void
      }).pipe(Effect.andThen(Deferred.await(all)), Effect.as(vector(1)))
  }
}))

export const services = [Echo, Fate, Pair, Mixed] as const

export const servicesLive = (waiting: Waiting) => Layer.mergeAll(echoLive, fateLive(waiting), pairLive, mixedLive)

export interface Running {
  readonly url: string
  readonly waiting: Waiting
}

/** Serves all of them over HTTP, with whatever other routes there are beside them. */
export const serve = Effect.fnUntraced(function*(
  options: OpenInference.HttpOptions = {},
  others: Layer.Layer<never, never, HttpRouter.HttpRouter> = Layer.empty
) {
  const waiting = yield* makeWaiting
  const layer = HttpRouter.serve(Layer.mergeAll(OpenInference.http(services, options), others), {
    disableLogger: true,
    disableListenLog: true
  }).pipe(
    Layer.provide(servicesLive(waiting)),
    Layer.provideMerge(layerServer({ port: 0, gracefulShutdownTimeout: "2 seconds" }))
  )
  const url = HttpServer.formatAddress(Context.get(yield* Layer.build(layer), HttpServer.HttpServer).address)
  const running: Running = { url, waiting }
  return running
})
