import { holdToLaws } from "./holdToLaws.ts"
import { processes } from "./locations.ts"

holdToLaws("a service in three processes", processes)
