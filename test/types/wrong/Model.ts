import { Model, Tensor } from "chorale"
import { Effect, Schema } from "effect"
import { Rpc } from "effect/rpc"

class Blurred extends Schema.TaggedError<Blurred>()("Blurred", {}) {}
class Undeclared extends Schema.TaggedError<Undeclared>()("Undeclared", {}) {}

class Detector extends Model.Service<Detector>()("Detector", [
  Rpc.make("detect", { payload: { image: Tensor.schema("uint8", ["h", "w", 3]) }, success: Schema.Int, error: Blurred })
]) {}
class Pair extends Model.Service<Pair>()("Pair", [Rpc.make("read", { success: Schema.Int }), Rpc.make("ping")]) {}
class Reader extends Model.Service<Reader>()("Reader", [Rpc.make("read", { success: Schema.Int })]) {}

const image = Tensor.zeros("uint8", [2, 2, 3])
const ReaderLive = Reader.toLayer(Effect.gen(function*() {
  const detector = yield* Detector
  return { read: () => Effect.orElseSucceed(detector.detect({ image }), () => 0) }
}))
const program = Reader.use((reader) => reader.read())

// A missing dependency is named.
// error: Type 'Detector' is not assignable to type 'never'
Effect.runPromise(program.pipe(Effect.provide(ReaderLive)))

// An error that the contract does not declare is named.
// error: Type 'Undeclared' is not assignable to type 'HandlerError<Rpc<"detect"
Detector.toLayer({ detect: () => Effect.fail(new Undeclared()) })

// error: Type 'Undeclared' is not assignable to type 'HandlerError<Rpc<"detect"
Detector.toLayer(Effect.gen(function*() {
  yield* Effect.void
  return { detect: () => Effect.fail(new Undeclared()) }
}))

// A method left out is named.
// error: Property 'ping' is missing in type '{ read:
Pair.toLayer({ read: () => Effect.succeed(1) })

// error: Type 'string' is not assignable to type 'number'
Detector.toLayer({ detect: () => Effect.succeed("one") })

// error: Type 'Tensor<"float32", 3>' is not assignable to type 'Tensor<"uint8", 3>'
Detector.use((detector) => detector.detect({ image: Tensor.zeros("float32", [2, 2, 3]) }))

// error: Property 'image' is missing in type '{}'
Detector.use((detector) => detector.detect({}))

// error: Property 'detekt' does not exist on type 'Client<
Detector.use((detector) => detector.detekt({ image }))

// A layer of another service does not satisfy the key.
// error: Type 'Reader' is not assignable to type 'never'
Effect.runPromise(program.pipe(Effect.provide(Detector.toLayer({ detect: () => Effect.succeed(1) }))))

// What a call can fail with is in its type: the caller has to deal with it.
// error: Type 'ServiceError' is not assignable to type 'never'
export const total: Effect.Effect<number, never, Reader> = program
