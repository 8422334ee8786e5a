/** The module that a thread or a process of a supervisor starts from, where its program is in no bundle. */
import { Effect } from "effect"
import { readAssignment } from "./assignment.ts"
import { load } from "./deploymentModule.ts"
import { run } from "./unitReplica.ts"

const { module } = readAssignment()
run(await Effect.runPromise(load(new URL(module), module)))
