export * as FaultyProxy from "./FaultyProxy.ts"
