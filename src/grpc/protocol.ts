/** The messages and methods of the Open Inference Protocol over gRPC, and of gRPC's health check. */
import type { MethodDefinition, ServiceDefinition } from "@grpc/grpc-js"
import { fromJSON } from "@grpc/proto-loader"
import * as InferMessage from "./inferMessage.ts"

/** What the message of a tensor holds where its elements are not raw, in the fields of their types. */
export interface ContentsToSend {
  readonly bool_contents: ReadonlyArray<boolean>
  readonly int_contents: ReadonlyArray<number>
  readonly int64_contents: ReadonlyArray<string>
  readonly uint_contents: ReadonlyArray<number>
  readonly uint64_contents: ReadonlyArray<string>
  readonly fp32_contents: ReadonlyArray<number>
  readonly fp64_contents: ReadonlyArray<number>
}

/** A tensor as it is sent: what is not there is not sent. */
export interface TensorToSend {
  readonly name: string
  readonly datatype: string
  readonly shape: ReadonlyArray<number>
  readonly contents?: Partial<ContentsToSend>
}

export interface ModelRequest {
  readonly name: string
  readonly version: string
}

export interface InferRequestToSend {
  readonly model_name: string
  readonly model_version: string
  readonly inputs: ReadonlyArray<TensorToSend>
  readonly outputs: ReadonlyArray<{ readonly name: string }>
  readonly raw_input_contents: ReadonlyArray<Uint8Array>
}

export interface InferResponseToSend {
  readonly model_name: string
  readonly model_version: string
  readonly id: string
  readonly outputs: ReadonlyArray<TensorToSend>
  readonly raw_output_contents: ReadonlyArray<Uint8Array>
}

/** What is said of a tensor; sizes are decimal strings. */
export interface TensorMetadata {
  readonly name: string
  readonly datatype: string
  readonly shape: ReadonlyArray<string>
}

export interface MetadataResponse {
  readonly inputs: ReadonlyArray<TensorMetadata>
  readonly outputs: ReadonlyArray<TensorMetadata>
}

const one = (type: string, id: number) => ({ type, id })
const many = (type: string, id: number) => ({ rule: "repeated", type, id })
const packed = (type: string, id: number) => ({ rule: "repeated", type, id, options: { packed: true } })
const parameters = (id: number) => ({ keyType: "string", type: "InferParameter", id })
const message = (fields: Readonly<Record<string, object>>, nested?: Readonly<Record<string, object>>) =>
  nested === undefined ? { fields } : { fields, nested }
const method = (name: string) => ({ requestType: `${name}Request`, responseType: `${name}Response` })

const named = message({ name: one("string", 1), version: one("string", 2) })
const head = { name: one("string", 1), datatype: one("string", 2), shape: packed("int64", 3) }
const tensor = message({ ...head, parameters: parameters(4), contents: one("InferTensorContents", 5) })
const call = { model_name: one("string", 1), model_version: one("string", 2), id: one("string", 3) }

const inference = {
  GRPCInferenceService: {
    methods: {
      ServerLive: method("ServerLive"),
      ServerReady: method("ServerReady"),
      ModelReady: method("ModelReady"),
      ServerMetadata: method("ServerMetadata"),
      ModelMetadata: method("ModelMetadata"),
      ModelInfer: method("ModelInfer")
    }
  },
  ServerLiveRequest: message({}),
  ServerLiveResponse: message({ live: one("bool", 1) }),
  ServerReadyRequest: message({}),
  ServerReadyResponse: message({ ready: one("bool", 1) }),
  ModelReadyRequest: named,
  ModelReadyResponse: message({ ready: one("bool", 1) }),
  ServerMetadataRequest: message({}),
  ServerMetadataResponse: message({
    name: one("string", 1),
    version: one("string", 2),
    extensions: many("string", 3)
  }),
  ModelMetadataRequest: named,
  ModelMetadataResponse: message({
    name: one("string", 1),
    versions: many("string", 2),
    platform: one("string", 3),
    inputs: many("TensorMetadata", 4),
    outputs: many("TensorMetadata", 5)
  }, { TensorMetadata: message(head) }),
  ModelInferRequest: message({
    ...call,
    parameters: parameters(4),
    inputs: many("InferInputTensor", 5),
    outputs: many("InferRequestedOutputTensor", 6),
    raw_input_contents: many("bytes", 7)
  }, {
    InferInputTensor: tensor,
    InferRequestedOutputTensor: message({ name: one("string", 1), parameters: parameters(2) })
  }),
  ModelInferResponse: message({
    ...call,
    parameters: parameters(4),
    outputs: many("InferOutputTensor", 5),
    raw_output_contents: many("bytes", 6)
  }, { InferOutputTensor: tensor }),
  InferParameter: {
    ...message({
      bool_param: one("bool", 1),
      int64_param: one("int64", 2),
      string_param: one("string", 3),
      double_param: one("double", 4),
      uint64_param: one("uint64", 5)
    }),
    oneofs: {
      parameter_choice: { oneof: ["bool_param", "int64_param", "string_param", "double_param", "uint64_param"] }
    }
  },
  InferTensorContents: message({
    bool_contents: packed("bool", 1),
    int_contents: packed("int32", 2),
    int64_contents: packed("int64", 3),
    uint_contents: packed("uint32", 4),
    uint64_contents: packed("uint64", 5),
    fp32_contents: packed("float", 6),
    fp64_contents: packed("double", 7),
    bytes_contents: many("bytes", 8)
  })
}

const health = {
  Health: { methods: { Check: { requestType: "HealthCheckRequest", responseType: "HealthCheckResponse" } } },
  HealthCheckRequest: message({ service: one("string", 1) }),
  HealthCheckResponse: message({ status: one("ServingStatus", 1) }, {
    ServingStatus: { values: { UNKNOWN: 0, SERVING: 1, NOT_SERVING: 2, SERVICE_UNKNOWN: 3 } }
  })
}

const root = {
  nested: {
    inference: { nested: inference },
    grpc: { nested: { health: { nested: { v1: { nested: health } } } } }
  }
}

// Written with the functions of above, the messages have wider types than the loader asks for.
const loaded = fromJSON(root as Parameters<typeof fromJSON>[0], {
  keepCase: true,
  longs: String,
  enums: String,
  defaults: true
})

/** The name under which the health check tells of the inference service. */
export const serviceName = "inference.GRPCInferenceService"

// What was loaded under these names are the two services of above.
const loadedInference = loaded[serviceName] as ServiceDefinition

export const healthService = loaded["grpc.health.v1.Health"] as ServiceDefinition

const loadedMethod = <Request, Response>(
  name: keyof typeof inference.GRPCInferenceService.methods
): MethodDefinition<Request, Response> => {
  const method = loadedInference[name]
  if (method === undefined) throw new Error(`there is no ${name}`)
  return method
}

export const metadataMethod = loadedMethod<ModelRequest, MetadataResponse>("ModelMetadata")

/** The method whose messages are as large as tensors; what arrives of them is read without a message of objects. */
export const inferMethod: MethodDefinition<InferRequestToSend, InferMessage.InferMessage> = {
  ...loadedMethod<InferRequestToSend, InferMessage.InferMessage>("ModelInfer"),
  responseDeserialize: InferMessage.readResponse
}

/** As a server has it. */
export const inferenceService: ServiceDefinition = {
  ...loadedInference,
  ModelInfer: { ...loadedMethod("ModelInfer"), requestDeserialize: InferMessage.readRequest }
}
