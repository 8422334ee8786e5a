import { holdToLaws } from "./holdToLaws.ts"
import { process } from "./locations.ts"

holdToLaws("a service in a process", process)
