export * as Machine from "./Machine.ts"
export * as Socket from "./Socket.ts"
