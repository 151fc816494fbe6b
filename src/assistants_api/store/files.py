"""Files and uploads."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select, update

from assistants_api.domain.errors import NotFound
from assistants_api.domain.file import File
from assistants_api.domain.page import Page, PageQuery
from assistants_api.domain.upload import Upload, UploadPart, UploadStatus
from assistants_api.store import tables
from assistants_api.store.repository import Repository


class Files(Repository[File]):
    """The table of files."""

    table = tables.files
    kind = File
    noun = "file"

    def missing(self, id: str) -> NotFound:
        """The error for a file that is not there; the service spells it without a dot."""
        return NotFound(f"No such File object: {id}", param="id")

    async def page(self, query: PageQuery, purpose: str | None = None) -> Page[File]:
        """Files by creation, those of one purpose if asked."""
        return await self._page(query) if purpose is None else await self._page(query, purpose=purpose)

    async def all_of(self, ids: Collection[str], *, for_update: bool = False) -> dict[str, File]:
        """The files with these ids, by id; the first that is missing is `NotFound`.

        `for_update` holds their rows, in an order in which everybody holds them.
        """
        statement = self._select().where(self.table.c.id.in_(ids))
        if for_update:
            statement = statement.order_by(self.table.c.id).with_for_update()
        found = {file.id: file for file in map(self.thing, await self.session.execute(statement))}
        for id in ids:
            if id not in found:
                raise self.missing(id)
        return found

    async def existing(self, ids: Collection[str]) -> list[File]:
        """Those of the files that are still there, in the order of `ids`."""
        statement = self._select().where(self.table.c.id.in_(ids))
        found = {file.id: file for file in map(self.thing, await self.session.execute(statement))}
        return [found[id] for id in ids if id in found]

    async def expired(self, now: datetime, limit: int = 100) -> list[str]:
        """Ids of files whose time is over."""
        c = self.table.c
        statement = select(c.id).where(c.expires_at <= now).order_by(c.expires_at).limit(limit)
        return [row[0] for row in await self.session.execute(statement)]

    async def blobs(self, keys: Collection[str]) -> set[str]:
        """Those of the blobs `keys` that a file or a part of an upload names."""
        files, parts = self.table.c, tables.upload_parts.c
        named = (
            select(files.blob)
            .where(files.blob.in_(keys))
            .union(select(parts.blob).where(parts.blob.in_(keys)))
        )
        return {row[0] for row in await self.session.execute(named)}


class Uploads(Repository[Upload]):
    """The table of uploads."""

    table = tables.uploads
    kind = Upload
    noun = "upload"

    async def overdue(self, now: datetime, limit: int = 100) -> list[str]:
        """Ids of pending uploads whose hour is over."""
        c = self.table.c
        statement = select(c.id).where(c.status == UploadStatus.PENDING, c.expires_at <= now).limit(limit)
        return [row[0] for row in await self.session.execute(statement)]

    async def end(self, id: str, status: UploadStatus, file_id: str | None = None) -> None:
        """The upload is over."""
        await self.session.execute(
            update(self.table).where(self.table.c.id == id).values(status=status, file_id=file_id)
        )


class UploadParts(Repository[UploadPart]):
    """The table of upload parts."""

    table = tables.upload_parts
    kind = UploadPart
    noun = "part"

    async def of_upload(self, upload_id: str) -> list[UploadPart]:
        """The parts of an upload, oldest first."""
        c = self.table.c
        statement = self._select().where(c.upload_id == upload_id).order_by(c.ord)
        return [self.thing(row) for row in await self.session.execute(statement)]

    async def remove_of(self, upload_id: str) -> None:
        """Forget the parts of an upload."""
        await self.session.execute(self.table.delete().where(self.table.c.upload_id == upload_id))
