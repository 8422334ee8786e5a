export * as Model from "./Model.ts"
export * as Resources from "./Resources.ts"
export * as ServiceError from "./ServiceError.ts"
export * as Tensor from "./Tensor.ts"
