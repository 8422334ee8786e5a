export * as Fake from "./Fake.ts"
export * as Faults from "./Faults.ts"
export * as Laws from "./Laws.ts"
