/**
 * The form of contracts for embedders, which have one method: of a text to a vector.
 *
 * The text is the JSON of a method and its payload, and may be what the contract allows. The vector has the bytes of the
 * result behind their number, which are carried to the bit.
 */
import { Model, OpenAi, Tensor } from "chorale"
import { Effect, Schema, SchemaIssue, SchemaParser } from "effect"
import { Rpc } from "effect/rpc"
import * as Base64 from "../../src/http/base64.ts"
import { codecFor, isBytes } from "../../src/internal/bytesCodec.ts"
import type * as Carried from "./carried.ts"

interface Call {
  readonly method: string
  readonly payload: unknown
}

/** Bytes are base64 in an object of their own. */
const write = (call: Call): string =>
  JSON.stringify(call, (_, value) => value instanceof Uint8Array ? { base64: Base64.encode(value) } : value)

// Only what was written above is read.
const read = (text: string): Call =>
  JSON.parse(text, (_, value) => typeof value?.base64 === "string" ? Base64.decode(value.base64) : value)

const contractOf = (service: Model.Any) =>
  Model.Service<Carried.Served>()(service.key, [
    Rpc.make("embed", {
      payload: { text: Schema.String.check(Schema.makeFilter((text) => complaint(service, text) ?? true)) },
      success: Tensor.schema("float32", ["n"])
    })
  ])

/** An embedder that is a contract in this form. */
export const embedderOf = (contract: Carried.Contract) =>
  // Each contract in this form is one of above.
  OpenAi.embedder(contract as unknown as ReturnType<typeof contractOf>, "embed", { model: "laws" })

/** What is wrong with a call that the contract does not allow. */
const complaint = (service: Model.Any, text: string): string | undefined => {
  const { method, payload } = read(text)
  const exit = SchemaParser.decodeUnknownExit(codecOf(service, method).payload)(payload)
  const failure = exit._tag === "Failure" ? exit.cause.reasons.find((reason) => reason._tag === "Fail") : undefined
  return failure && formatIssue(failure.error)
}

const formatIssue = SchemaIssue.makeFormatterDefault()

const codecOf = (service: Model.Any, name: string) => {
  const method = service.methods.get(name)
  if (method === undefined) throw new TypeError(`${service.key} has no method ${name}`)
  const success = Schema.toCodecJson(method.success)
  const toJson = (result: unknown) => JSON.stringify(SchemaParser.encodeUnknownSync(success)(result) ?? null)
  const fromJson = (text: string) => SchemaParser.decodeUnknownSync(success)(JSON.parse(text))
  return {
    payload: codecFor(method.payload),
    /** Bytes are what they are, and everything else is JSON. */
    encode: (result: unknown) => result instanceof Uint8Array ? result : new TextEncoder().encode(toJson(result)),
    decode: (bytes: Uint8Array) => isBytes(method.success.ast) ? bytes : fromJson(new TextDecoder().decode(bytes))
  }
}

export const form: Carried.Form = {
  // The types of the one method are erased.
  contractOf: (service) => contractOf(service) as unknown as Carried.Contract,
  fromHandlers: (service, handlers) => ({
    embed: (carried) => {
      // What arrived is of the contract.
      const { method, payload } = read((carried as { readonly text: string }).text)
      const codec = codecOf(service, method)
      const answer = handlers[method]!(SchemaParser.decodeUnknownSync(codec.payload)(payload))
      return Effect.map(answer, (result) => toVector(codec.encode(result)))
    }
  }),
  toClient: (service, client) =>
    Object.fromEntries(
      Array.from(service.methods.values()).filter(({ stream }) => !stream).map(({ name }) => {
        const codec = codecOf(service, name)
        // Whether it is allowed is for the contract of the embedder to say.
        const encode = SchemaParser.encodeUnknownSync(codec.payload)
        const call = (payload: unknown) =>
          client["embed"]!({
            text: write({ method: name, payload: encode(payload, { disableChecks: true }) ?? null })
          })
        return [
          name,
          (payload: unknown) =>
            Effect.suspend(() => Effect.map(call(payload), (vector) => codec.decode(fromVector(vector))))
        ]
      })
    )
}

const toVector = (bytes: Uint8Array): Tensor.Tensor<"float32", 1> => {
  const vector = new Uint8Array(4 + 4 * Math.ceil(bytes.byteLength / 4))
  vector.set(bytes, 4)
  new DataView(vector.buffer).setUint32(0, bytes.byteLength, true)
  const data = new Float32Array(vector.buffer)
  return Tensor.make("float32", [data.length], data)
}

const fromVector = (vector: unknown): Uint8Array => {
  // An embedder answers a vector.
  const bytes = Tensor.toBytes(vector as Tensor.Tensor<"float32", 1>)
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true)
  return bytes.slice(4, 4 + length)
}
