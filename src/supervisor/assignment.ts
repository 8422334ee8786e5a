/** What a thread or process of a supervisor is to run. */
import { Schema } from "effect"

const Assignment = Schema.fromJsonString(Schema.Struct({ module: Schema.String, unit: Schema.String }))

const key = "CHORALE_UNIT"

/** As a variable of the environment of the thread or process. */
export const toEnvironment = (assignment: typeof Assignment.Type): Readonly<Record<string, string>> => ({
  [key]: Schema.encodeSync(Assignment)(assignment)
})

/** Throws where this thread or process was started otherwise. */
export const readAssignment = (): typeof Assignment.Type => Schema.decodeUnknownSync(Assignment)(process.env[key])
