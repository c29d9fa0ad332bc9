"""Images with mean opinion scores: readers of the sets that people have, and splits by content.

`read_labelled(kind, root)` reads one of these, as its owners publish it:

- `koniq10k`: `koniq10k_distributions_sets.csv` (image_name, MOS, set), images in `1024x768/` or
  `512x384/`; the split is the column `set`.
- `biq2021`: `Train (Images and MOS).csv` and `Test (Images and MOS).csv` (Image Name, MOS), images
  in `Images/`; names may differ from the files' in the case of their letters.
- `kadid10k`: `dmos.csv` (dist_img, ref_img, dmos), images in `images/`. Higher dmos is better.
- `pipal`: lists of `name,Elo` in `Train_Label/*.txt` (training, images in `Train_Dist/` or
  `Distortion_1/` to `Distortion_4/`) and `val_label.txt` (validation, images in `Val_Dist/`).
- `qads`: `mos_with_names.txt`, images in `super-resolved_images/`, `<content>_<scale>_<method>.*`.
- `ma17`: `mos_with_names.txt`, paths below the folder, `<method>/.../<content>.*`. Its owners
  publish a MATLAB file of the same paths and scores, which has to be written as such a list.
- `mos`: `labels.csv` (path, mos; optional: content, split), any images below the folder.

A list (all but the CSV files with named columns) has a name and a number on each line, in either
order, separated by a comma or blanks; a first line `name,mos` is skipped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np

from ...csv_files import find_one, number_of, read_list, read_table
from ...errors import SriqaError
from ...files import listed, write_text
from ...names import counted, csv_line
from ...sr_folders import images_in


@dataclass(frozen=True)
class LabelledImages:
    """N images with mean opinion scores.

    Parameters
    ----------
    name : str
        What the set is called in tables.
    paths : tuple of Path
        The files; readers do not look whether they are there, `require_images` does.
    mos : ndarray, (N,)
        Higher is better, in the set's own unit.
    contents : tuple of str
        What each image shows; images of one content stay on one side of a split, and resamples
        draw whole contents.
    splits : tuple of str
        The part that each image belongs to as published; empty where nothing is published.
    """

    name: str
    paths: tuple[Path, ...]
    mos: np.ndarray
    contents: tuple[str, ...]
    splits: tuple[str, ...] = ()

    def select(self, rows: np.ndarray) -> LabelledImages:
        """The images of a mask (N,) of bool."""
        keep = np.flatnonzero(rows)
        return replace(
            self,
            paths=tuple(self.paths[i] for i in keep),
            mos=self.mos[keep],
            contents=tuple(self.contents[i] for i in keep),
            splits=tuple(self.splits[i] for i in keep) if self.splits else (),
        )

    def part(self, split: str) -> LabelledImages:
        """The images of one split.

        Raises
        ------
        SriqaError
            If there are none; the message lists the splits there are.
        """
        if split not in self.splits:
            known = ", ".join(sorted(set(self.splits))) or "none; see split_by_content"
            raise SriqaError(f"{self.name}: no split {split!r}; there are: {known}")
        return self.select(np.array(self.splits) == split)


def read_labelled(kind: str, root: Path) -> LabelledImages:
    """Read a labelled set, without looking at its images.

    Parameters
    ----------
    kind : str
        One of `READERS`.
    root : Path
        Its folder.

    Raises
    ------
    SriqaError
        For an unknown kind, a folder without the files that the kind has (they are listed), and
        a label that is missing, no number or given twice (file and line are named).
    """
    if kind not in READERS:
        raise SriqaError(f"unknown kind of labelled set {kind!r}; known: {', '.join(READERS)}")
    return READERS[kind](root)


def require_images(name: str, paths: Iterable[Path]) -> None:
    """Raise if files are missing; the message counts and names them."""
    paths = list(dict.fromkeys(paths))
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        count = f"{len(missing)} of {counted(len(paths), 'image')}"
        raise SriqaError(f"{name}: missing {count}: {listed(missing)}")


def split_by_content(
    labelled: LabelledImages, fractions: Mapping[str, float], seed: int
) -> LabelledImages:
    """Divide a set at random so that no content is in two splits.

    Parameters
    ----------
    labelled : LabelledImages
    fractions : mapping
        Name of a split -> its share of the contents; the shares sum to one.
    seed : int
        The same seed gives the same split.

    Raises
    ------
    SriqaError
        If the shares are not positive or do not sum to one, or leave a split without a content.
    """
    shares = np.array(list(fractions.values()), dtype=float)
    if not (shares > 0).all() or not math.isclose(shares.sum(), 1):
        raise SriqaError(f"fractions are {dict(fractions)}; they must be positive and sum to one")
    contents = sorted(set(labelled.contents))
    order = np.random.default_rng(seed).permutation(len(contents))
    ends = np.round(shares.cumsum() * len(contents)).astype(int)
    if (np.diff(ends, prepend=0) == 0).any():
        raise SriqaError(
            f"{labelled.name}: {counted(len(contents), 'content')}, too few for {dict(fractions)}"
        )
    names = list(fractions)
    where = np.searchsorted(ends, np.arange(len(contents)), side="right")
    split = {contents[i]: names[k] for i, k in zip(order, where, strict=True)}
    return replace(labelled, splits=tuple(split[content] for content in labelled.contents))


def write_splits(path: Path, labelled: LabelledImages) -> None:
    """Write down which split each image is in, CSV path,content,split."""
    rows = zip(labelled.paths, labelled.contents, labelled.splits, strict=True)
    write_text(path, "".join(map(csv_line, [("path", "content", "split"), *rows])))


def _made(
    name: str, source: Path, rows: Sequence[tuple[Path, float, str]], splits: Sequence[str] = ()
) -> LabelledImages:
    if not rows:
        raise SriqaError(f"{source}: no labels, only a header")
    paths, mos, contents = zip(*rows, strict=True)
    seen = set()
    for path in paths:
        if path in seen:
            raise SriqaError(f"{source}: {path.name!r} is named twice")
        seen.add(path)
    return LabelledImages(name, paths, np.array(mos), contents, tuple(splits))


def _koniq10k(root: Path) -> LabelledImages:
    layout = "images are in 1024x768/ or 512x384/"
    source = find_one("koniq10k", root, ["koniq10k_distributions_sets.csv"], layout)
    small = not (root / "1024x768").is_dir() and (root / "512x384").is_dir()
    folder = root / ("512x384" if small else "1024x768")
    rows, splits = [], []
    for line, row in read_table(source, ("image_name", "MOS", "set")):
        name = row["image_name"]
        rows.append((folder / name, number_of(source, line, row, "MOS"), name))
        splits.append(row["set"])
    return _made("koniq10k", source, rows, splits)


def _biq2021(root: Path) -> LabelledImages:
    lists = {"training": "Train (Images and MOS).csv", "test": "Test (Images and MOS).csv"}
    folder = root / "Images"
    there = {path.name.lower(): path for path in images_in(folder)}
    rows, splits = [], []
    for split, list_name in lists.items():
        source = find_one("biq2021", root, [list_name], "images are in Images/")
        for line, row in read_table(source, ("Image Name", "MOS")):
            name = row["Image Name"].strip()
            path = there.get(name.lower(), folder / name)
            rows.append((path, number_of(source, line, row, "MOS"), name))
            splits.append(split)
    return _made("biq2021", root, rows, splits)


def _kadid10k(root: Path) -> LabelledImages:
    source = find_one("kadid10k", root, ["dmos.csv"], "images are in images/")
    rows = [
        (root / "images" / row["dist_img"], number_of(source, line, row, "dmos"), row["ref_img"])
        for line, row in read_table(source, ("dist_img", "ref_img", "dmos"))
    ]
    return _made("kadid10k", source, rows)


def _pipal(root: Path) -> LabelledImages:
    lists = [(path, "training") for path in sorted((root / "Train_Label").glob("*.txt"))]
    if (root / "val_label.txt").is_file():
        lists.append((root / "val_label.txt", "validation"))
    if not lists:
        layout = "images are in Train_Dist/ (or Distortion_1/ to Distortion_4/) and Val_Dist/"
        find_one("pipal", root, ["Train_Label/*.txt", "val_label.txt"], layout)
    spread = {}
    if not (root / "Train_Dist").is_dir():
        spread = {path.name: path for path in root.glob("Distortion_[1-4]/*")}
    rows, splits = [], []
    for source, split in lists:
        folder = root / ("Train_Dist" if split == "training" else "Val_Dist")
        for name, elo in read_list(source).items():
            place = spread.get(name, folder / name) if split == "training" else folder / name
            rows.append((place, elo, name.split("_")[0]))
            splits.append(split)
    return _made("pipal", lists[0][0].parent, rows, splits)


def _qads(root: Path) -> LabelledImages:
    layout = "one name and MOS a line; images are in super-resolved_images/"
    source = find_one("qads", root, ["mos_with_names.txt", "mos_with_names.csv"], layout)
    folder = root / "super-resolved_images"
    labels = read_list(source).items()
    return _made("qads", source, [(folder / name, mos, name.split("_")[0]) for name, mos in labels])


def _ma17(root: Path) -> LabelledImages:
    layout = "one path <method>/.../<content>.* and MOS a line, relative to this folder"
    source = find_one("ma17", root, ["mos_with_names.txt", "mos_with_names.csv"], layout)
    labels = read_list(source).items()
    rows = [(root / name, mos, PurePosixPath(name).stem) for name, mos in labels]
    return _made("ma17", source, rows)


def _mos(root: Path) -> LabelledImages:
    layout = "columns path,mos and optionally content,split; paths are relative to this folder"
    source = find_one("mos", root, ["labels.csv"], layout)
    rows, splits = [], []
    for line, row in read_table(source, ("path", "mos")):
        name = row["path"].replace("\\", "/")
        content = row.get("content") or name
        rows.append((root / name, number_of(source, line, row, "mos"), content))
        splits.append(row.get("split") or "")
    return _made(root.resolve().name, source, rows, splits if any(splits) else ())


READERS: dict[str, Callable[[Path], LabelledImages]] = {
    "koniq10k": _koniq10k,
    "biq2021": _biq2021,
    "kadid10k": _kadid10k,
    "pipal": _pipal,
    "qads": _qads,
    "ma17": _ma17,
    "mos": _mos,
}
