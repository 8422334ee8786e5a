import { Tensor } from "chorale"
import { Schema } from "effect"

declare const classify: (images: Tensor.Tensor<"float32", 4>) => string
const image = Tensor.zeros("float32", [3, 224, 224])

// The array must be the one that holds the dtype.
// error: 'Int32Array<ArrayBuffer>' is not assignable to parameter of type 'Float32Array<ArrayBufferLike>'
Tensor.make("float32", [2], new Int32Array(2))

// error: '"float"' is not assignable to parameter of type 'keyof Arrays'
Tensor.zeros("float", [2])

// The rank is part of the type.
// error: Argument of type 'Tensor<"float32", 3>' is not assignable to parameter of type 'Tensor<"float32", 4>'
classify(image)

// So is the dtype.
// error: Argument of type 'Tensor<"float16", 4>' is not assignable to parameter of type 'Tensor<"float32", 4>'
classify(Tensor.zeros("float16", [1, 3, 224, 224]))

const Scores = Schema.Struct({ scores: Tensor.schema("float32", ["batch", 1000]) })

// error: Type 'Tensor<"float32", 1>' is not assignable to type 'Tensor<"float32", 2>'
Scores.make({ scores: Tensor.zeros("float32", [1000]) })

// error: Cannot assign to '0' because it is a read-only property
image.shape[0] = 1
