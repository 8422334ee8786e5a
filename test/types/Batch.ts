import { Batch, type ServiceError, type Tensor } from "chorale"
import { Context, Effect, Schema, type Scope } from "effect"
import type { Equal, Expect } from "./Equal.ts"

class Empty extends Schema.TaggedError<Empty>()("Empty", {}) {}
class Down extends Schema.TaggedError<Down>()("Down", {}) {}
class Encoder extends Context.Service<Encoder, {
  readonly encode: (texts: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<number>, Down>
}>()("Encoder") {}

type Refusal = ServiceError.Overloaded | ServiceError.DeadlineExceeded | ServiceError.Unavailable

const embed = Batch.make({
  run: (texts: ReadonlyArray<string>) =>
    Effect.flatMap(Encoder, (encoder) => encoder.encode(texts)).pipe(
      Effect.map((vectors) => vectors.map((vector, index) => texts[index] === "" ? Batch.failed(new Empty()) : vector))
    )
})

export type ItHasTheErrorsOfItsItemsOfItsRunAndOfTheQueue = Expect<
  Equal<
    typeof embed,
    Effect.Effect<Batch.Batched<string, number, Empty | Down | Refusal>, never, Encoder | Scope.Scope>
  >
>

const call = Effect.flatMap(embed, (embed) => embed("text"))

export type ACallHasOneResult = Expect<Equal<Effect.Success<typeof call>, number>>

const pure = Batch.make({ run: (items: ReadonlyArray<boolean>) => Effect.succeed(items.map(String)) })

export type WithoutErrorsOfItsOwnOnlyThoseOfTheQueue = Expect<
  Equal<typeof pure, Effect.Effect<Batch.Batched<boolean, string, Refusal>, never, Scope.Scope>>
>

type Feeds = { readonly ids: Tensor.Tensor<"int64", 2> }
type Outputs = { readonly hidden: Tensor.Tensor<"float32", 3> }

const tensors = Batch.tensors({
  run: (_: Feeds): Effect.Effect<Outputs, Down, Encoder> => Effect.fail(new Down()),
  pad: { ids: 0n },
  trim: { hidden: "ids" }
})

export type TensorsKeepTheirTypes = Expect<
  Equal<
    typeof tensors,
    Effect.Effect<
      Batch.Batched<Feeds, Outputs, Down | Refusal | ServiceError.InvalidPayload>,
      never,
      Encoder | Scope.Scope
    >
  >
>

declare const ids: Tensor.Tensor<"int64", 2>
const stacked = Batch.stack([ids, ids], { pad: 0n, mask: "int64" })

export type AStackHasTheTypeOfItsTensors = Expect<
  Equal<Effect.Success<typeof stacked>["tensor" | "mask"], Tensor.Tensor<"int64", 2>>
>

const plain = Batch.stack([ids])

export type WithoutPaddingThereIsNoMask = Expect<
  Equal<keyof Effect.Success<typeof plain>, "tensor" | "sizes" | "shapes">
>
