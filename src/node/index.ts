export * as Machine from "./Machine.ts"
