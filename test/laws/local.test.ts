import { holdToLaws } from "./holdToLaws.ts"
import { local } from "./locations.ts"

holdToLaws("a service in this process", local)
