import { Stack, Text, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { Dialog, DialogForm } from "./Dialog";
import { ErrorAlert } from "./QueryState";

interface ConfirmDialogProps {
  title: string;
  text: string;
  submit: string;
  /** What must be typed before it can be done, and the label that asks for it. */
  type?: { wanted: string; label: string };
  action: () => Promise<void>;
  onDone: () => void;
  onClose: () => void;
}

/** Asks before something that cannot be undone, and does it. */
export function ConfirmDialog({ title, text, submit, type, action, onDone, onClose }: ConfirmDialogProps) {
  const [typed, setTyped] = useState("");
  const run = useMutation({ mutationFn: action, onSuccess: onDone });
  return (
    <Dialog opened title={title} onClose={onClose}>
      <DialogForm
        submit={submit}
        danger
        busy={run.isPending}
        disabled={type !== undefined && typed !== type.wanted}
        onSubmit={() => run.mutate()}
        onCancel={onClose}
      >
        <Stack>
          <ErrorAlert error={run.error} />
          <Text>{text}</Text>
          {type && (
            <TextInput
              label={type.label}
              data-autofocus
              autoComplete="off"
              spellCheck={false}
              value={typed}
              onChange={(event) => setTyped(event.currentTarget.value)}
            />
          )}
        </Stack>
      </DialogForm>
    </Dialog>
  );
}
