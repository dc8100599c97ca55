import { Kbd, Modal, Table } from '@mantine/core';

const KEYS = [
  ['/', 'go to the search'],
  ['j  k', 'next, previous row'],
  ['Enter', 'open the row'],
  ['x', 'select the row; with Shift and the mouse a range'],
  ['R', 'retry the selected items, or the row'],
  ['r', 'hold the page still, or follow again'],
  ['Esc', 'clear the selection, close what is open'],
  ['B  J  S  A  T  W', 'batches, jobs, submit, apps, tokens, workspaces (with Shift)'],
  ['?', 'this list'],
] as const;

export default function Help({ onClose }: { onClose: () => void }) {
  return (
    <Modal opened onClose={onClose} title="Keyboard" closeButtonProps={{ 'aria-label': 'close' }}>
      <Table>
        <Table.Tbody>
          {KEYS.map(([keys, does]) => (
            <Table.Tr key={keys}>
              <Table.Td>
                {keys.split('  ').map((key) => (
                  <Kbd key={key} mr={4}>
                    {key}
                  </Kbd>
                ))}
              </Table.Td>
              <Table.Td>{does}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Modal>
  );
}
