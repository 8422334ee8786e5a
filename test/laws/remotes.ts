/** The protocols of others, each as a location: a server of ours in the place of theirs, and what calls theirs. */
import { NodeHttpClient } from "@effect/platform-node"
import { Bento, type Model, OpenAi, OpenInference, Serve } from "chorale"
import { OpenInferenceGrpc } from "chorale/grpc"
import { Laws } from "chorale/testing"
import { Context, Effect, Layer, type Scope } from "effect"
import { HttpMiddleware, type HttpRouter } from "effect/http"
import * as AsTensors from "./asTensors.ts"
import * as AsTexts from "./asTexts.ts"
import * as Carried from "./carried.ts"
import { freePort, listening, type Location, restartable, runHttp, type Running, twoServers } from "./locations.ts"
import * as PerMethod from "./perMethod.ts"

/** The two services of the laws in a form, each on a server of its own. */
const servers = (
  form: Carried.Form,
  serve: (
    contract: Carried.Contract,
    implementation: Layer.Layer<Carried.Served, unknown>
  ) => Effect.Effect<Running<number>, unknown, Scope.Scope>,
  connectTo: (port: number) => Laws.Connect
) => {
  const run = (service: Model.Any, implementation: Layer.Layer<Carried.Served, unknown>) =>
    serve(form.contractOf(service), implementation)
  return twoServers({
    serveProbe: run(Laws.Probe, Carried.implement(form, Laws.Probe, Laws.probeHandlers())),
    serveRelay: (probe) =>
      run(Laws.Relay, Layer.provide(Carried.implement(form, Laws.Relay, Laws.relayHandlers), probe)),
    connectTo
  })
}

const url = (port: number) => `http://127.0.0.1:${port}`

/** Beside the routes of a protocol are ours, as they are wherever both are served. A span of the request is none of it. */
const serveHttp = (
  routes: (contract: Carried.Contract) => Layer.Layer<never, never, HttpRouter.HttpRouter | Carried.Served>
) =>
(contract: Carried.Contract, implementation: Layer.Layer<Carried.Served, unknown>) =>
  runHttp(
    Layer.mergeAll(Serve.http([contract], { timeout: Infinity }), routes(contract)).pipe(
      Layer.provide(implementation),
      Layer.provide(Layer.succeed(HttpMiddleware.TracerDisabledWhen, () => true))
    )
  )

const tensorsOnly = {
  values: "a request and its answer are tensors by name",
  checks: "a contract is dtypes and sizes",
  errors: "a failure is a status and a sentence: what a model declares is InvalidPayload or Unavailable by its status",
  defects: "a failure is a status and a sentence: a defect is Unavailable",
  origins: "a failure is a status and a sentence, and says to wait in whole seconds",
  streams: "a request has one answer",
  evolution: "each method must be a model of the server when the layer is built"
}

const openInferenceOptions = { timeout: Infinity }

/** Where the models of methods are, whatever other methods a contract has. */
const modelsOf = (contract: Carried.Contract) =>
  Object.fromEntries(
    Array.from(contract.methods.keys(), (name) => [name, { model: `${contract.key.replaceAll("/", ".")}.${name}` }])
  )

const connectOpenInference = (port: number): Laws.Connect =>
  Carried.connect(
    AsTensors.form,
    (contract) =>
      OpenInference.layer(contract, { url: url(port), models: modelsOf(contract) }).pipe(
        Layer.provide(NodeHttpClient.layerUndici)
      )
  )

/** A server of the Open Inference Protocol, over HTTP. */
export const openInference: Location = Effect.gen(function*() {
  const places = yield* servers(
    AsTensors.form,
    serveHttp((contract) => OpenInference.http([contract], openInferenceOptions)),
    connectOpenInference
  )
  return {
    ...places,
    name: "OIP over HTTP",
    maxPayload: 32 * 1024 * 1024,
    refusing: connectOpenInference(yield* freePort),
    silent: connectOpenInference(yield* listening(() => undefined)),
    without: tensorsOnly
  }
})

const connectGrpc = (port: number): Laws.Connect =>
  Carried.connect(
    AsTensors.form,
    (contract) => OpenInferenceGrpc.layerClient(contract, { address: `127.0.0.1:${port}`, models: modelsOf(contract) })
  )

/** A server of the Open Inference Protocol, over gRPC. */
export const openInferenceGrpc: Location = Effect.gen(function*() {
  const places = yield* servers(
    AsTensors.form,
    (contract, implementation) =>
      restartable(
        (port: number = 0) =>
          Layer.provide(
            OpenInferenceGrpc.layerServer([contract], {
              ...openInferenceOptions,
              port,
              gracefulShutdownTimeout: "100 millis"
            }),
            implementation
          ),
        (context) => Context.get(context, OpenInferenceGrpc.Server).port
      ),
    connectGrpc
  )
  return {
    ...places,
    name: "OIP over gRPC",
    maxPayload: 32 * 1024 * 1024,
    refusing: connectGrpc(yield* freePort),
    silent: connectGrpc(yield* listening(() => undefined)),
    without: tensorsOnly
  }
})

const connectBento = (port: number): Laws.Connect =>
  Carried.connect(
    PerMethod.once,
    (contract) => Bento.layer(contract, { url: url(port) }).pipe(Layer.provide(NodeHttpClient.layerUndici))
  )

/** A BentoML server. */
export const bento: Location = Effect.gen(function*() {
  const places = yield* servers(
    PerMethod.once,
    serveHttp((contract) => Bento.http(contract, { timeout: Infinity })),
    connectBento
  )
  return {
    ...places,
    name: "BentoML",
    maxPayload: 32 * 1024 * 1024,
    refusing: connectBento(yield* freePort),
    silent: connectBento(yield* listening(() => undefined)),
    without: {
      numbers: "JSON has no NaN, -0 and infinities, and an integer in a list is a number",
      emptiness: "a tensor is lists of lists, and an empty one does not say how long those in it would be",
      defects: "a failure is a status and a sentence: a defect is Unavailable",
      origins: "a failure is a status and a sentence, and says to wait in whole seconds",
      streams: "a stream is the pieces that the network makes of a text or of bytes",
      deadlines: "a server hears nothing of deadlines",
      evolution: "each method must be an API of the server, and take all arguments, when the layer is built"
    }
  }
})

const connectOpenAi = (port: number): Laws.Connect =>
  Carried.connect(
    AsTexts.form,
    (contract) =>
      OpenAi.layerEmbeddings(AsTexts.embedderOf(contract), { url: `${url(port)}/v1` }).pipe(
        Layer.provide(NodeHttpClient.layerUndici)
      )
  )

/** A server of OpenAI's embeddings. */
export const openAi: Location = Effect.gen(function*() {
  const places = yield* servers(
    AsTexts.form,
    serveHttp((contract) => OpenAi.http([AsTexts.embedderOf(contract)], { timeout: Infinity })),
    connectOpenAi
  )
  return {
    ...places,
    name: "OpenAI embeddings",
    maxPayload: 24 * 1024 * 1024,
    refusing: connectOpenAi(yield* freePort),
    without: {
      values: "a call is a text, and its answer a vector",
      tensors: "a call is a text, and its answer a vector",
      errors:
        "a failure is a status and a sentence: what a model declares is InvalidPayload or Unavailable by its status",
      defects: "a failure is a status and a sentence: a defect is Unavailable",
      origins: "a failure is a status and a sentence, and says to wait in whole seconds",
      streams: "a request has one answer",
      deadlines: "a server hears nothing of deadlines",
      skew: "the protocol has one contract, that of texts and vectors",
      silent: "a server that has taken a request and says nothing may be computing: a deadline ends the call"
    }
  }
})
