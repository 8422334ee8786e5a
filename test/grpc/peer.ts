/** A client that is generated from the .proto of the protocol, and a server of ours, for the length of a scope. */
import {
  credentials,
  loadPackageDefinition,
  type Metadata,
  type ServiceClientConstructor,
  type ServiceError
} from "@grpc/grpc-js"
import { loadSync } from "@grpc/proto-loader"
import { Context, Effect, Layer, type Scope } from "effect"
import { fileURLToPath } from "node:url"
import * as OpenInferenceGrpc from "../../src/grpc/OpenInferenceGrpc.ts"
import { makeWaiting, services, servicesLive } from "../openInference/models.ts"

const load = (file: string) =>
  loadPackageDefinition(
    loadSync(fileURLToPath(new URL(file, import.meta.url)), { defaults: true, keepCase: true, longs: String })
  )

// A package definition has no static types; the files beside this one declare the services.
const loaded = load("./open_inference.proto") as unknown as {
  readonly inference: { readonly GRPCInferenceService: ServiceClientConstructor }
}

/** The inference service as the .proto declares it. */
export const inference = loaded.inference.GRPCInferenceService

const health = load("./health.proto") as unknown as {
  readonly grpc: { readonly health: { readonly v1: { readonly Health: ServiceClientConstructor } } }
}

export interface Call {
  /** The message of an answer, whose types are those of the .proto. */
  // oxlint-disable-next-line no-explicit-any -- a client that is loaded at run time has no static types
  readonly promise: Promise<any>
  readonly cancel: () => void
}

export type Send = (
  method: string,
  request: object,
  options?: { readonly deadline?: number; readonly metadata?: Metadata }
) => Call

/** A client of the inference service, or of the health check. */
export const connect = (
  port: number,
  service: "inference" | "health" = "inference"
): Effect.Effect<Send, never, Scope.Scope> => {
  const Constructor = service === "inference" ? inference : health.grpc.health.v1.Health
  return Effect.map(
    Effect.acquireRelease(
      Effect.sync(() =>
        new Constructor(`127.0.0.1:${port}`, credentials.createInsecure(), { "grpc.max_receive_message_length": -1 })
      ),
      (client) => Effect.sync(() => client.close())
    ),
    (client): Send => (method, request, { deadline = Infinity, metadata } = {}) => {
      let cancel = () => {}
      const promise = new Promise((resolve, reject) => {
        const done = (error: ServiceError | null, response: unknown) =>
          error === null ? resolve(response) : reject(error)
        const run = client[method]!.bind(client)
        const call = metadata === undefined
          ? run(request, { deadline }, done)
          : run(request, metadata, { deadline }, done)
        cancel = () => call.cancel()
      })
      promise.catch(() => undefined)
      return { promise, cancel: () => cancel() }
    }
  )
}

export const failureOf = async ({ promise }: Call): Promise<ServiceError> => {
  try {
    await promise
  } catch (error) {
    // A call of grpc-js fails with nothing else.
    return error as ServiceError
  }
  throw new Error("the call has succeeded")
}

/** Serves the services of the tests over gRPC on a free port. */
export const serve = Effect.fnUntraced(function*(options: OpenInferenceGrpc.ServerOptions = {}) {
  const waiting = yield* makeWaiting
  const layer = OpenInferenceGrpc.layerServer(services, { port: 0, gracefulShutdownTimeout: "2 seconds", ...options })
    .pipe(
      Layer.provide(servicesLive(waiting))
    )
  const { port } = Context.get(yield* Layer.build(layer), OpenInferenceGrpc.Server)
  return { port, waiting }
})
