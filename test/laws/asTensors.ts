/**
 * The form of contracts for protocols that have tensors by name and nothing else.
 *
 * A tensor is one, bytes and a text are tensors of bytes, a number is a scalar, and everything else is JSON in a tensor
 * of rank two, so that it is not taken for a text. Streams and declared errors have no form.
 */
import { Tensor } from "chorale"
import { Schema, SchemaAST, SchemaParser } from "effect"
import { Rpc } from "effect/rpc"
import * as TensorField from "../../src/http/tensorField.ts"
import { isBytes } from "../../src/internal/bytesCodec.ts"
import * as PerMethod from "./perMethod.ts"

export const form = PerMethod.make(({ error, name, payload, stream, success }) => {
  if (stream || !SchemaAST.isNever(error.ast)) return undefined
  const fields = fieldsOf(payload)
  const result = isStructOfTensors(success.ast) ? asItIs(success) : valueOf(success)
  return {
    rpc: Rpc.make(name, {
      payload: Object.fromEntries(fields.map(([field, { schema }]) => [field, schema])),
      success: result.schema
    }),
    payload: {
      encode: (value) => mapFields(fields, value, ({ encode }) => encode),
      decode: (value) => mapFields(fields, value, ({ decode }) => decode)
    },
    result
  }
})

/** A value as a tensor, or as a struct of tensors. */
interface Value extends PerMethod.Conversion {
  readonly schema: Schema.Top
}

type Fields = ReadonlyArray<readonly [name: string, value: Value]>

/** A model has at least one input. */
const fieldsOf = (payload: Schema.Top): Fields => {
  const signatures = SchemaAST.isObjects(payload.ast) ? payload.ast.propertySignatures : []
  const fields = signatures.map(({ name, type }) => [String(name), valueOf(Schema.make(type))] as const)
  return fields.length === 0 ? [["nothing", valueOf(Schema.Null)]] : fields
}

const mapFields = (fields: Fields, value: unknown, convert: (value: Value) => (value: unknown) => unknown) => {
  // A payload is a struct of its fields; one without fields is nothing.
  const given: Readonly<Record<string, unknown>> = { nothing: null, ...value as object | undefined }
  return Object.fromEntries(
    fields.flatMap(([name, value]) => name in given ? [[name, convert(value)(given[name])]] : [])
  )
}

const isStructOfTensors = (ast: SchemaAST.AST): boolean =>
  SchemaAST.isObjects(ast) && ast.propertySignatures.length > 0 &&
  ast.propertySignatures.every(({ type }) => TensorField.describe(type) !== undefined)

const asItIs = (schema: Schema.Top): Value => ({ schema, ...PerMethod.same })

const valueOf = (schema: Schema.Top): Value => {
  if (TensorField.describe(schema.ast) !== undefined) return asItIs(schema)
  if (isBytes(schema.ast)) return bytes
  // The schemas of the laws need no services.
  const codec = Schema.toCodecJson(schema as Schema.Codec<unknown, unknown>)
  const encoded = SchemaAST.toEncoded(codec.ast)
  const inner = SchemaAST.isString(encoded) ? text : SchemaAST.isNumber(encoded) ? number : json
  const [encode, decode] = [SchemaParser.encodeUnknownSync(codec), SchemaParser.decodeUnknownSync(codec)]
  return {
    schema: SchemaAST.isOptional(schema.ast) ? Schema.optionalKey(inner.schema) : inner.schema,
    encode: (value) => inner.encode(encode(value)),
    decode: (carried) => decode(inner.decode(carried))
  }
}

// What is carried in a form of below is of its schema, which was checked before.
const bytesOf = (value: unknown) => value as Uint8Array<ArrayBuffer>

const tensorOf = <Dtype extends Tensor.Dtype>(_: Dtype, value: unknown) => value as Tensor.Tensor<Dtype>

const bytes: Value = {
  schema: Tensor.schema("uint8", ["bytes"]),
  encode: (value) => Tensor.make("uint8", [bytesOf(value).byteLength], bytesOf(value)),
  decode: (carried) => tensorOf("uint8", carried).data
}

const text: Value = {
  schema: Tensor.schema("uint8", ["bytes"]),
  encode: (value) => bytes.encode(new TextEncoder().encode(String(value))),
  decode: (carried) => new TextDecoder().decode(tensorOf("uint8", carried).data)
}

const number: Value = {
  schema: Tensor.schema("float64", []),
  encode: (value) => Tensor.make("float64", [], Float64Array.of(Number(value))),
  decode: (carried) => tensorOf("float64", carried).data[0]
}

const json: Value = {
  schema: Tensor.schema("uint8", [1, "bytes"]),
  encode: (value) => {
    const data = new TextEncoder().encode(JSON.stringify(value ?? null))
    return Tensor.make("uint8", [1, data.byteLength], data)
  },
  decode: (carried) => JSON.parse(String(text.decode(carried)))
}
