/** What is known of a method that turns texts into vectors. */
import { Effect, Schema, SchemaAST } from "effect"
import type { Rpc } from "effect/rpc"
import * as TensorField from "../http/tensorField.ts"
import type * as Model from "../Model.ts"
import * as Tensor from "../Tensor.ts"

/** What the rows of a matrix are for the texts of a call. */
export interface Shape {
  /** The field of the payload that holds the text, or the texts. */
  readonly field: string
  /** Whether one call takes a list of texts and answers a matrix; otherwise it is a text and a vector. */
  readonly many: boolean
  /** The size of a vector, where the contract fixes it. */
  readonly dimensions: number | undefined
}

/** The methods that take a text and answer a vector, or take texts and answer a matrix. */
export type MethodOf<R extends Rpc.Any> = R extends Rpc.Any ? [Rpc.Success<R>, Fields<Rpc.Payload<R>>] extends
    | [Tensor.Tensor<"float32", 1>, string]
    | [Tensor.Tensor<"float32", 2>, ReadonlyArray<string>] ? R["_tag"]
  : never
  : never

type Fields<Payload> = Payload extends object ? Payload[keyof Payload] : never

/** What the schemas of a method say. Throws a TypeError where it is no embedder. */
export const shapeOf = (service: string, method: Model.Definition): Shape => {
  const ast = SchemaAST.toType(method.payload.ast)
  const tensor = TensorField.describe(method.success.ast)
  const fields = SchemaAST.isObjects(ast) ? ast.propertySignatures : []
  const [field] = fields
  const many = field !== undefined && SchemaAST.isArrays(field.type)
  const text = field !== undefined && SchemaAST.isArrays(field.type) ? field.type.rest[0] : field?.type
  if (
    field === undefined || fields.length > 1 || text === undefined || !SchemaAST.isString(text) || method.stream ||
    tensor?.dtype !== "float32" ||
    tensor.dimensions.length !== (many ? 2 : 1)
  ) {
    throw new TypeError(
      `${service}.${method.name} is no embedder: its payload has one field, a text or an array of texts, ` +
        `and its result is float32[n] for a text or float32[texts, n] for an array`
    )
  }
  const last = tensor.dimensions.at(-1)
  return { field: String(field.name), many, dimensions: typeof last === "number" ? last : undefined }
}

type Call = (payload: unknown) => Effect.Effect<unknown, unknown>

/** The vectors of texts, in their order: one call where the method takes many, and otherwise a call each. */
export const vectorsOf = (
  { field, many }: Shape,
  call: Call,
  concurrency: number
): (texts: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<Float32Array>, unknown> =>
  many
    ? (texts) => Effect.map(call({ [field]: texts }), (matrix) => rowsOf(asTensor(matrix), texts.length))
    : (texts) => Effect.forEach(texts, (text) => Effect.map(call({ [field]: text }), vectorOf), { concurrency })

const vectorOf = (vector: unknown): Float32Array => asTensor(vector).data

// The contract says that the result is a tensor of float32, and `shapeOf` has looked; the erased client does not.
const asTensor = (result: unknown) => result as Tensor.Tensor<"float32">

const rowsOf = ({ data, shape }: Tensor.Tensor<"float32">, texts: number): ReadonlyArray<Float32Array> => {
  const [rows = 0, width = 0] = shape
  if (rows !== texts) throw new TypeError(`the embedder answered ${rows} vectors for ${texts} texts`)
  return Array.from({ length: rows }, (_, row) => data.subarray(row * width, (row + 1) * width))
}

/** The result of the method from the vectors of its texts, checked against its contract. */
export const toResult = ({ many }: Shape, method: Model.Definition) => {
  const isResult = Schema.is(method.success)
  return (vectors: ReadonlyArray<Float32Array>): Tensor.Tensor<"float32"> | undefined => {
    const result = many ? stack(vectors) : vectors[0] && Tensor.make("float32", [vectors[0].length], vectors[0])
    return isResult(result) ? result : undefined
  }
}

const stack = (vectors: ReadonlyArray<Float32Array>): Tensor.Tensor<"float32"> | undefined => {
  const width = vectors[0]?.length ?? 0
  if (vectors.some((vector) => vector.length !== width)) return undefined
  const data = new Float32Array(vectors.length * width)
  vectors.forEach((vector, row) => data.set(vector, row * width))
  return Tensor.make("float32", [vectors.length, width], data)
}
