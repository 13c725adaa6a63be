import { Button, Group, Modal } from "@mantine/core";
import type { FormEvent, ReactNode } from "react";
import { useTranslation } from "react-i18next";

interface DialogProps {
  opened: boolean;
  title: string;
  onClose: () => void;
  children: ReactNode;
  wide?: boolean;
  /** False while it shows what would be lost. */
  closeOnClickOutside?: boolean;
}

export function Dialog({ opened, title, onClose, children, wide, closeOnClickOutside = true }: DialogProps) {
  const { t } = useTranslation();
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title={title}
      size={wide ? "xl" : "md"}
      closeOnClickOutside={closeOnClickOutside}
      lockScroll={false} // it would write a <style> element, which the policy forbids
      closeButtonProps={{ "aria-label": t("app.close") }}
      transitionProps={{ duration: 0 }}
    >
      {children}
    </Modal>
  );
}

interface DialogFormProps {
  submit: string;
  busy: boolean;
  disabled?: boolean;
  danger?: boolean;
  onSubmit: () => void;
  onCancel: () => void;
  children: ReactNode;
}

/** Fields with a button to go on and one to leave. */
export function DialogForm({ submit, busy, disabled, danger, onSubmit, onCancel, children }: DialogFormProps) {
  const { t } = useTranslation();
  const send = (event: FormEvent) => {
    event.preventDefault();
    if (!busy && !disabled) onSubmit();
  };
  return (
    <form onSubmit={send} noValidate>
      {children}
      <Group justify="flex-end" mt="lg">
        <Button variant="default" onClick={onCancel}>
          {t("app.cancel")}
        </Button>
        <Button type="submit" loading={busy} disabled={disabled} color={danger ? "red" : undefined}>
          {submit}
        </Button>
      </Group>
    </form>
  );
}
