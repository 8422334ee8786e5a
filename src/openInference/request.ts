/** A request for inference over HTTP, as a server reads it. */
import * as Tensor from "../Tensor.ts"
import * as Json from "./json.ts"
import * as Message from "./message.ts"
import type { Field, Named, Served } from "./model.ts"
import { invalid } from "./refusal.ts"
import * as Tensors from "./tensors.ts"

export interface Request {
  /** What the caller calls it, to be given back. */
  readonly id: string | undefined
  readonly inputs: Named
  /** The outputs that are asked for, in order. */
  readonly outputs: ReadonlyArray<Output>
}

export interface Output {
  readonly name: string
  readonly binary: boolean
}

/** What a model takes and gives, by name. */
export interface Expected {
  readonly inputs: ReadonlyMap<string, Field>
  readonly outputs: ReadonlyMap<string, Field>
}

export const expectedOf = ({ inputs, outputs }: Served): Expected => ({
  inputs: byName(inputs.fields),
  outputs: byName(outputs.fields)
})

export const byName = (fields: ReadonlyArray<Field>): ReadonlyMap<string, Field> =>
  new Map(fields.map((field) => [field.name, field]))

/** Reads the body of a request. Throws Refusal. What its content type says is not looked at, as clients send any. */
export const read = (
  expected: Expected,
  body: Uint8Array,
  headerLength: string | undefined,
  maxJsonDepth: number
): Request => {
  if (body.byteLength === 0 && headerLength === undefined) throw invalid("the body is empty")
  const { binary, json } = Message.split(body, headerLength)
  if (json.byteLength === 0) return readRaw(expected, body)
  const { id, inputs, outputs, parameters = {} } = Json.parse(json, maxJsonDepth)
  if (id !== undefined && typeof id !== "string") throw invalid("the id is no string")
  if (!Json.isRecord(parameters)) throw invalid("the parameters are no JSON object")
  return {
    id,
    inputs: Tensors.read({
      kind: "input",
      entries: inputs,
      binary: binary && Message.align(json, binary, expected.inputs.values()),
      length: json.byteLength,
      expected: expected.inputs,
      lenient: false
    }),
    outputs: readOutputs(expected.outputs, outputs, parameters["binary_data_output"])
  }
}

const readOutputs = (expected: Expected["outputs"], outputs: unknown, binaryOutput: unknown): ReadonlyArray<Output> => {
  const binary = readFlag("binary_data_output", binaryOutput) ?? false
  if (outputs === undefined || Array.isArray(outputs) && outputs.length === 0) {
    return Array.from(expected.keys(), (name) => ({ name, binary }))
  }
  if (!Array.isArray(outputs)) throw invalid("the outputs are no array")
  const asked = new Set<string>()
  return outputs.map((output: unknown) => {
    if (!Json.isRecord(output) || typeof output["name"] !== "string") throw invalid("an output has no name")
    const { name, parameters = {} } = output
    checkOutput(expected, asked, name)
    if (!Json.isRecord(parameters)) throw invalid(`the parameters of output ${name} are no JSON object`)
    for (const unsupported of ["classification", "shared_memory_region"]) {
      if (unsupported in parameters) throw invalid(`output ${name}: ${unsupported} is not supported`)
    }
    return { name, binary: readFlag("binary_data", parameters["binary_data"]) ?? binary }
  })
}

/** Refuses an output that the model does not have, or that was asked for before. */
export const checkOutput = (expected: Expected["outputs"], asked: Set<string>, name: string): void => {
  if (!expected.has(name)) {
    throw invalid(`there is no output ${name.slice(0, 100)}: the model has ${Array.from(expected.keys()).join(", ")}`)
  }
  if (asked.has(name)) throw invalid(`output ${name} is asked for twice`)
  asked.add(name)
}

const readFlag = (what: string, flag: unknown): boolean | undefined => {
  if (flag !== undefined && typeof flag !== "boolean") throw invalid(`${what} is neither true nor false`)
  return flag
}

/** A body without JSON is the one input of a model, whose shape follows from its length; all outputs are binary. */
const readRaw = ({ inputs, outputs }: Expected, body: Uint8Array): Request => {
  const [field, ...others] = inputs.values()
  if (field === undefined || others.length > 0) {
    throw invalid(`a body without JSON is for models with one input, not ${inputs.size}`)
  }
  const shape = inferShape(field, body.byteLength)
  if (shape === undefined) {
    throw invalid(`input ${field.name} [${field.dimensions.join(", ")}] cannot be told from ${body.byteLength} bytes`)
  }
  const tensor = Tensors.fromBytes(`input ${field.name}`, field.dtype, shape, body)
  return {
    id: undefined,
    inputs: new Map([[field.name, tensor]]),
    outputs: Array.from(outputs.keys(), (name) => ({ name, binary: true }))
  }
}

/** The sizes of a tensor of so many bytes, at most one of which the contract leaves open. */
const inferShape = ({ dimensions, dtype }: Field, bytes: number): ReadonlyArray<number> | undefined => {
  const open = dimensions.filter((dimension) => typeof dimension === "string").length
  const fixed = dimensions.reduce<number>((size, each) => typeof each === "number" ? size * each : size, 1)
  const inferred = open === 0 ? 0 : bytes / Tensor.bytesPerElement(dtype) / fixed
  return open > 1 || !Number.isSafeInteger(inferred)
    ? undefined
    : dimensions.map((dimension) => typeof dimension === "number" ? dimension : inferred)
}
