import { createRoot } from "react-dom/client";
import { App } from "./App";
import "./styles";

createRoot(document.getElementById("root")!).render(<App />);
