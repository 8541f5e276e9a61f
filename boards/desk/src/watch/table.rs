//! The devices as rows, as wide as the terminal lets them be.

use std::time::{Duration, Instant};

use monster::identity::DeviceId;
use ratatui::layout::{Alignment, Constraint};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Row, Table};

use super::devices::{Climate, Device, Devices};

pub const STRONG: Style = Style::new().add_modifier(Modifier::BOLD);
pub const FAINT: Style = Style::new().add_modifier(Modifier::DIM);
pub const WARNING: Style = Style::new().fg(Color::Yellow);
pub const BAD: Style = Style::new().fg(Color::Red);
const GOOD: Style = Style::new().fg(Color::Green);

/// Columns between two.
const SPACING: usize = 2;

const SIGNAL: &str = "signal";

struct Column {
    name: &'static str,
    alignment: Alignment,
    cell: fn(&DeviceId, &Device, Instant) -> Span<'static>,
}

const fn column(
    name: &'static str,
    alignment: Alignment,
    cell: fn(&DeviceId, &Device, Instant) -> Span<'static>,
) -> Column {
    Column {
        name,
        alignment,
        cell,
    }
}

const COLUMNS: [Column; 7] = [
    column("device", Alignment::Left, |id, _, _| {
        Span::raw(id.to_string())
    }),
    column("status", Alignment::Left, |_, device, _| {
        match device.online {
            Some(true) => Span::styled("● online", GOOD),
            Some(false) => Span::styled("○ offline", BAD),
            None => unknown(),
        }
    }),
    column("switch", Alignment::Left, |_, device, _| {
        match device.switch {
            Some(true) => Span::styled("on", GOOD),
            Some(false) => Span::raw("off"),
            None => unknown(),
        }
    }),
    column(
        "temperature",
        Alignment::Right,
        |_, device, _| match &device.climate {
            Some(Climate::Reading { temperature, .. }) => Span::raw(format!("{temperature:.1} °C")),
            Some(Climate::Fault(why)) => Span::styled(why.clone(), WARNING),
            None => unknown(),
        },
    ),
    column("humidity", Alignment::Right, |_, device, _| {
        match &device.climate {
            Some(Climate::Reading { humidity, .. }) => Span::raw(format!("{humidity:.1} %")),
            _ => unknown(),
        }
    }),
    column(SIGNAL, Alignment::Right, |_, device, _| {
        let text = device.signal.map(|signal| format!("{signal} dBm"));
        text.map_or_else(unknown, Span::raw)
    }),
    column("last heard", Alignment::Left, |_, device, now| {
        let text = device.seen.map(|seen| ago(now - seen));
        text.map_or_else(unknown, Span::raw)
    }),
];
/// Which of them are left out where there is no room for all, the first of them first.
const LEAVE_OUT: [&str; 4] = [SIGNAL, "last heard", "humidity", "temperature"];

/// The table, for this many columns of the terminal. What is not the truth of this moment is faint: what a device that is
/// offline has said, and everything while the broker is not there to contradict it.
pub fn of(devices: &Devices, is_live: bool, now: Instant, width: u16) -> Table<'static> {
    let cells = devices.iter().map(|(id, device)| {
        let cells = COLUMNS.map(|column| (column.cell)(id, device, now));
        (cells, is_live && device.online != Some(false))
    });
    let rows: Vec<([Span<'static>; COLUMNS.len()], bool)> = cells.collect();
    let mut columns: Vec<(usize, usize)> = COLUMNS
        .iter()
        .enumerate()
        .map(|(index, column)| {
            let cells = rows.iter().map(|(cells, _)| cells[index].width());
            (index, cells.fold(column.name.len(), usize::max))
        })
        .collect();
    // Where no board has WiFi it would say nothing.
    let has_signal = devices.iter().any(|(_, device)| device.signal.is_some());
    columns.retain(|(index, _)| has_signal || COLUMNS[*index].name != SIGNAL);
    for name in LEAVE_OUT {
        let needed: usize = columns.iter().map(|(_, width)| width + SPACING).sum();
        if needed <= usize::from(width) + SPACING {
            break;
        }
        columns.retain(|(index, _)| COLUMNS[*index].name != name);
    }
    let header = columns.iter().map(|(index, _)| {
        let Column {
            name, alignment, ..
        } = COLUMNS[*index];
        Cell::from(Line::from(name).alignment(alignment))
    });
    let header = Row::new(header).style(FAINT);
    let shown = rows.iter().map(|(cells, is_true)| {
        let cells = columns.iter().map(|(index, _)| {
            let cell = Line::from(cells[*index].clone());
            Cell::from(cell.alignment(COLUMNS[*index].alignment))
        });
        Row::new(cells).style(if *is_true { Style::new() } else { FAINT })
    });
    let widths = columns
        .iter()
        .map(|(_, width)| Constraint::Length(u16::try_from(*width).unwrap_or(u16::MAX)));
    Table::new(shown, widths)
        .header(header)
        .column_spacing(SPACING as u16)
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED))
}

fn unknown() -> Span<'static> {
    Span::styled("–", FAINT)
}

fn ago(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds} s ago"),
        seconds @ 60..3600 => format!("{} min ago", seconds / 60),
        seconds => format!("{} h ago", seconds / 3600),
    }
}
