export * as ServiceError from "./ServiceError.ts"
export * as Tensor from "./Tensor.ts"
