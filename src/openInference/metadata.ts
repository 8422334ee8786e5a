/** What a server says of itself and of its models. */
import { datatypes } from "./datatype.ts"
import type * as Model from "./model.ts"

/** What a user may say of a server. */
export interface ServerOptions {
  /** What the server calls itself: chorale. */
  readonly name?: string | undefined
  /** The version of the server, and of each of its models. Without it, models have no versions. */
  readonly version?: string | undefined
}

export interface TensorMetadata {
  readonly name: string
  readonly datatype: string
  readonly shape: ReadonlyArray<number>
}

export interface ModelMetadata {
  readonly name: string
  readonly versions?: ReadonlyArray<string>
  readonly platform: string
  readonly inputs: ReadonlyArray<TensorMetadata>
  readonly outputs: ReadonlyArray<TensorMetadata>
}

export const ofServer = ({ name, version }: ServerOptions) => ({
  name: name ?? "chorale",
  version: version ?? "",
  extensions: ["binary_tensor_data"]
})

export const ofModel = ({ inputs, name, outputs }: Model.Served, { version }: ServerOptions): ModelMetadata => ({
  name,
  ...version === undefined ? {} : { versions: [version] },
  platform: "chorale",
  inputs: inputs.fields.map(ofTensor),
  outputs: outputs.fields.map(ofTensor)
})

/** A dimension that has a name in the contract is one of any size here. */
const ofTensor = ({ dimensions, dtype, name }: Model.Field): TensorMetadata => ({
  name,
  datatype: datatypes[dtype],
  shape: dimensions.map((dimension) => typeof dimension === "number" ? dimension : -1)
})

/** Whether a server has a version, where a request asks for one. */
export const hasVersion = ({ version }: ServerOptions, asked: string | undefined): boolean =>
  asked === undefined || asked === "" || asked === version
