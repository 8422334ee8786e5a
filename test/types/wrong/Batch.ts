import { Batch, Tensor } from "chorale"
import { Effect } from "effect"

const lengths = (texts: ReadonlyArray<string>) => Effect.succeed(texts.map((text) => text.length))

// A run takes many items and gives many results.
// error: Type 'number' is not assignable to type 'readonly
Batch.make({ run: (texts: ReadonlyArray<string>) => Effect.succeed(texts.length) })

// A call takes one item.
// error: Argument of type 'number' is not assignable to parameter of type 'string'
Effect.flatMap(Batch.make({ run: lengths }), (call) => call(1))

// A minimum without a delay would hold the last items for ever.
// error: Property 'maxDelay' is missing
Batch.make({ run: lengths, hold: { minSize: 8 } })

// error: Type 'string' is not assignable to type 'number'
Batch.make({ run: lengths, cost: (text: string) => text })

const ids = Tensor.zeros("int64", [1, 2])

// A tensor of 64-bit integers is padded with one.
// error: No overload matches this call
Batch.stack([ids], { pad: 0 })

const echo = (feeds: { readonly ids: Tensor.Tensor<"int64", 2> }) => Effect.succeed(feeds)

// error: Type '"other"' is not assignable to type
Batch.tensors({ run: echo, trim: { ids: "other" } })
