export * as OpenInferenceGrpc from "./OpenInferenceGrpc.ts"
